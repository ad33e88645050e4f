"""The run file says where the broker is, or what to do when there is none."""

import os
import subprocess
import sys

import pytest

from settings import Shared
from streams import runfile
from streams.runfile import NoBrokerError, Run

RUN = Run("127.0.0.1:20001", os.getpid(), 8, bytes(range(16)))


def settings(data_dir, broker="embedded://"):
    return Shared(data_dir=data_dir, broker=broker)


def test_a_run_comes_back_as_it_was_written(tmp_path):
    runfile.write(tmp_path / "data", RUN)
    assert runfile.read(tmp_path / "data") == RUN
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["run.json"]
    assert runfile.resolve(settings(tmp_path / "data")) == "127.0.0.1:20001"


def test_a_later_run_replaces_it_and_a_stop_removes_it(tmp_path):
    runfile.write(tmp_path, RUN)
    later = Run("127.0.0.1:20002", os.getpid(), 4, bytes(16))
    runfile.write(tmp_path, later)
    assert runfile.read(tmp_path) == later
    runfile.remove(tmp_path)
    runfile.remove(tmp_path)
    with pytest.raises(NoBrokerError, match=r"no broker is running \(.*run\.json does not exist\): run `turnstile up`"):
        runfile.resolve(settings(tmp_path))


def test_a_run_that_died_without_a_word_is_seen(tmp_path):
    with subprocess.Popen((sys.executable, "-c", "")) as dead:
        dead.wait()
    runfile.write(tmp_path, Run("127.0.0.1:20001", dead.pid, 8, bytes(16)))
    with pytest.raises(NoBrokerError, match=f"has died \\(process {dead.pid} is gone\\): run `turnstile up`"):
        runfile.resolve(settings(tmp_path))


@pytest.mark.parametrize("content", [b"", b"{}", b"not json", b'{"address":1,"pid":1,"partitions":1,"log_id":""}'])
def test_what_is_no_run_file_is_said(tmp_path, content):
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(NoBrokerError, match=r"run\.json is not a run file .*delete it"):
        runfile.read(tmp_path)


@pytest.mark.parametrize(
    ("broker", "servers"),
    [
        ("kafka://a:9092", "a:9092"),
        ("kafka://a:9092,b:9093,10.0.0.1:9094", "a:9092,b:9093,10.0.0.1:9094"),
        ("kafka://[::1]:9092", "[::1]:9092"),
    ],
)
def test_a_foreign_broker_needs_no_run_file(tmp_path, broker, servers):
    assert runfile.resolve(settings(tmp_path, broker)) == servers


@pytest.mark.parametrize(
    "broker",
    [
        "",
        "kafka://",
        "kafka://a",
        "kafka://a:",
        "kafka://:9092",
        "kafka://a:port",
        "kafka://a:0",
        "kafka://a:65536",
        "kafka://a:9092,",
        "kafka://a:²",
        "a:9092",
        "embedded",
        "embedded://somewhere",
        "http://a:9092",
    ],
)
def test_an_address_of_another_form_is_refused(tmp_path, broker):
    with pytest.raises(ValueError, match=r"expected embedded:// or kafka://host:port,host:port"):
        runfile.resolve(settings(tmp_path, broker))
