"""An exported log reads as the log itself, and a damaged file says so."""

from random import Random

import pytest

from ops.audit.source import MemorySource, SourceError, Stream
from ops.audit.verify import audit
from ops.ledger_file import LedgerFileError, export, load
from tests.ops.honest_log import HonestLog
from tests.ops.random_sale import RandomSale


@pytest.fixture
def log() -> HonestLog:
    return RandomSale(Random(2), calm=True).run(40)


def test_a_file_gives_the_same_report_as_the_log(log, tmp_path):
    path = tmp_path / "log"
    sections = export(log.source(), path)
    assert [(section.stream, section.records) for section in sections] == [
        (Stream.LEDGER, len(log.ledger)),
        (Stream.ORDER_LEDGER, 0),
        (Stream.ORDER_COMMANDS, 0),
        (Stream.COMMANDS, len(log.commands)),
    ]
    assert audit(load(path)) == audit(log.source())
    assert list(tmp_path.iterdir()) == [path]


def test_a_trimmed_topic_keeps_its_offsets(log, tmp_path):
    path = tmp_path / "log"
    export(log.source(commands=log.commands[10:]), path)
    file = load(path)
    assert (file.start(Stream.COMMANDS, 0), file.end(Stream.COMMANDS, 0)) == (10, len(log.commands))
    assert list(file.read(Stream.COMMANDS, 0)) == log.commands[10:]


def test_every_changed_byte_is_noticed(log, tmp_path):
    path = tmp_path / "log"
    export(log.source(), path)
    data = path.read_bytes()
    for at in Random(1).sample(range(len(data)), 150):
        path.write_bytes(data[:at] + bytes((data[at] ^ 0x55,)) + data[at + 1 :])
        with pytest.raises(SourceError):
            audit(load(path))


@pytest.mark.parametrize("kept", [0, 3, 16, 40, 1_000, -1, -16, -30])
def test_a_file_that_was_cut_short_is_not_complete(log, tmp_path, kept):
    path = tmp_path / "log"
    export(log.source(), path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(LedgerFileError, match="export it again"):
        load(path)


def test_an_export_that_fails_leaves_nothing_and_spares_what_was_there(log, tmp_path):
    class Away(MemorySource):
        def read(self, stream, partition):
            message = "the broker is away"
            raise SourceError(message)

    path = tmp_path / "log"
    path.write_bytes(b"before")
    with pytest.raises(SourceError):
        export(Away(1, {}), path)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]
