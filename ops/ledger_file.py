"""A log in one file: commands and ledger of every partition, as `turnstile ledger export` writes and `verify` reads it.

    MAGIC  section ... section  footer  `>Q16s`: position of the footer, its digest  MAGIC

A section holds one partition of one stream: frames of `>qqI` (offset, timestamp_ms, length of the value) and the value.
The footer is JSON: what each section is, where it stands, and the blake2b-128 of its bytes. It is written last, so an
export that was cut short has none and is recognised.
"""

import hashlib
import json
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ops.audit.source import LEDGERS_FIRST, Entry, Source, SourceError, Stream

MAGIC = b"turnstile log 1\n"
_FRAME = struct.Struct(">qqI")
_HASH_BYTES = 16
_TAIL = struct.Struct(f">Q{_HASH_BYTES}s")
_BUFFER = 1024 * 1024


class LedgerFileError(SourceError):
    """Not a file that `ledger export` finished, or one that was changed since: export it again."""


class Section(NamedTuple):
    """One partition of one stream in the file. `end` is exclusive; position and size are in bytes."""

    stream: Stream
    partition: int
    start: int
    end: int
    position: int
    size: int
    records: int
    digest: str


def export(source: Source, path: Path) -> list[Section]:
    """Write all partitions of `source` to `path`, whole or not at all; what was written, for a summary."""
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb", buffering=_BUFFER) as file:
            file.write(MAGIC)
            sections = [
                _write_section(file, source, stream, partition)
                for partition in range(source.partitions)
                for stream in LEDGERS_FIRST
            ]
            position = file.tell()
            footer = {
                "orders_before": [source.orders_before(partition) for partition in range(source.partitions)],
                "sections": [section._asdict() for section in sections],
            }
            text = json.dumps(footer).encode()
            file.write(text + _TAIL.pack(position, _digest(text)) + MAGIC)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return sections


def _write_section(file: BinaryIO, source: Source, stream: Stream, partition: int) -> Section:
    position = file.tell()
    state = hashlib.blake2b(digest_size=_HASH_BYTES)
    records = 0
    for offset, timestamp_ms, value in source.read(stream, partition):
        frame = _FRAME.pack(offset, timestamp_ms, len(value)) + value
        state.update(frame)
        file.write(frame)
        records += 1
    size = file.tell() - position
    start, end = source.start(stream, partition), source.end(stream, partition)
    return Section(stream, partition, start, end, position, size, records, state.hexdigest())


class LedgerFile:
    """An exported log as the auditor's source. `load` it."""

    def __init__(self, path: Path, orders_before: list[int], sections: list[Section]) -> None:
        self.partitions = len(orders_before)
        self._path = path
        self._orders_before = orders_before
        self._sections = {(section.stream, section.partition): section for section in sections}

    def start(self, stream: Stream, partition: int) -> int:
        """The first offset that was kept when it was exported."""
        return self._section(stream, partition).start

    def end(self, stream: Stream, partition: int) -> int:
        """The end when it was exported."""
        return self._section(stream, partition).end

    def orders_before(self, partition: int) -> int:
        """As it was when it was exported."""
        return self._orders_before[partition]

    def read(self, stream: Stream, partition: int) -> Iterator[Entry]:
        """The entries, streamed; LedgerFileError at the end if the bytes are not those that were exported."""
        section = self._section(stream, partition)
        state = hashlib.blake2b(digest_size=_HASH_BYTES)
        with self._path.open("rb", buffering=_BUFFER) as file:
            file.seek(section.position)
            for _ in range(section.records):
                head = file.read(_FRAME.size)
                if len(head) < _FRAME.size:
                    raise _broken(self._path, f"{stream}-{partition} is cut short")
                offset, timestamp_ms, length = _FRAME.unpack(head)
                value = file.read(length)
                state.update(head)
                state.update(value)
                yield Entry(offset, timestamp_ms, value)
        if state.hexdigest() != section.digest:
            raise _broken(self._path, f"the bytes of {stream}-{partition} are not those that were exported")

    def _section(self, stream: Stream, partition: int) -> Section:
        section = self._sections.get((stream, partition))
        if section is None:
            raise _broken(self._path, f"it has no {stream}-{partition}")
        return section


def load(path: Path) -> LedgerFile:
    """Open an exported file; LedgerFileError if it is none or incomplete, OSError if it cannot be read."""
    tail = _TAIL.size + len(MAGIC)
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        if file.read(len(MAGIC)) != MAGIC:
            raise _broken(path, "it was not written by `turnstile ledger export`")
        file.seek(max(0, size - tail))
        end = file.read()
        if len(end) < tail or end[_TAIL.size :] != MAGIC:
            raise _broken(path, "the export was cut short")
        position, digest = _TAIL.unpack(end[: _TAIL.size])
        if position > size - tail:
            raise _broken(path, "the export was cut short")
        file.seek(position)
        footer = file.read(size - tail - position)
    if _digest(footer) != digest:
        raise _broken(path, "its footer is not the one that was written")
    try:
        facts = json.loads(footer)
        sections = [Section(**{**section, "stream": Stream(section["stream"])}) for section in facts["sections"]]
        return LedgerFile(path, [int(end) for end in facts["orders_before"]], sections)
    except (ValueError, KeyError, TypeError) as error:
        raise _broken(path, f"its footer does not decode: {error!r}") from error


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_HASH_BYTES).digest()


def _broken(path: Path, why: str) -> LedgerFileError:
    return LedgerFileError(f"{path} is no complete log: {why}; export it again")
