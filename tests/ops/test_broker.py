"""The embedded broker starts, comes back, says why it cannot, and never outlives its parent."""

import asyncio
import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ops import broker as broker_module
from ops import broker_node, jars
from ops.broker import EmbeddedBroker
from ops.broker_node import BrokerError, InUseError, Node, free_port
from ops.broker_probe import probe
from ops.jars_lock import read_lock
from ops.lifeline import die_with_parent
from ops.topics_admin import TopicsAdmin
from settings import Shared
from streams.kafka_log import KafkaLog

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]


@pytest.fixture
def cache() -> Path:
    """The user's cache, warm: the tests below may use it with the network cut."""
    cache = Shared().cache_dir
    jars.fetch(read_lock(), cache / "jars", Shared().mirror)
    return cache


@pytest.fixture
def nowhere() -> str:
    """A mirror at which nobody listens: the network, cut."""
    return f"http://127.0.0.1:{free_port()}"


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def until(condition, within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


async def written(address: str, value: bytes) -> list[bytes]:
    """Append to a topic and return all that is in it."""
    async with TopicsAdmin(address) as admin, KafkaLog(address) as log:
        if not await admin.describe(["kept"]):
            await admin.create({"kept": {}}, 1, 1)
        await log.append("kept", 0, value)
        return [record.value async for record in log.read("kept", 0, 0)]


async def test_a_warm_cache_needs_no_network_and_data_and_port_stay(tmp_path, cache, nowhere):
    with EmbeddedBroker(tmp_path, cache, mirror=nowhere) as broker:
        address = broker.address
        assert await written(address, b"1") == [b"1"]
        broker.stop()
        assert not broker.is_running
        with pytest.raises(BrokerError, match="is not running"):
            _ = broker.pid
        broker.start()
        assert broker.address == address
        assert await written(address, b"2") == [b"1", b"2"]
        broker.kill()
        broker.start()
        assert broker.address == address
        assert await written(address, b"3") == [b"1", b"2", b"3"]
        pid = broker.pid
    assert not alive(pid)
    assert jars.missing(read_lock(), cache / "jars") == []


def test_a_cold_cache_without_a_network_is_an_error_with_a_way_out(tmp_path, nowhere, monkeypatch):
    monkeypatch.setattr(jars, "BACKOFF_S", 0.001)
    with pytest.raises(jars.JarError, match="TURNSTILE_MIRROR"):
        EmbeddedBroker(tmp_path / "data", tmp_path / "cache", mirror=nowhere).start()


PARENT = """
import sys, time
from pathlib import Path
from ops.broker import EmbeddedBroker
broker = EmbeddedBroker(Path(sys.argv[1]), Path(sys.argv[2]))
broker.prepare()
broker.spawn()
if sys.argv[3] == "ready":
    broker.wait_ready()
print(broker.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("moment", ["starting", "ready"])
def test_it_dies_with_its_parent_that_is_killed(tmp_path, cache, moment):
    parent = subprocess.Popen(
        (sys.executable, "-c", PARENT, str(tmp_path), str(cache), moment),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        preexec_fn=die_with_parent(),  # noqa: PLW1509 - a system call or two
    )
    with parent:
        pid = int(parent.stdout.readline())
        assert alive(pid)
        assert os.getsid(pid) == pid  # so Ctrl-C on the terminal reaches the parent alone
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert until(lambda: not alive(pid), 5)


def test_it_is_not_started_from_a_thread_with_which_it_would_die(tmp_path, cache):
    broker = EmbeddedBroker(tmp_path, cache)
    broker.prepare()
    errors = []

    def spawn():
        try:
            broker.spawn()
        except RuntimeError as error:
            errors.append(str(error))

    thread = threading.Thread(target=spawn)
    thread.start()
    thread.join()
    assert errors == ["start Kafka from the main thread: it dies with the thread that started it"]
    assert not broker.is_running


def test_a_port_that_somebody_else_took_is_chosen_again(tmp_path, cache, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = iter([taken.getsockname()[1]])
        monkeypatch.setattr(broker_module, "free_port", lambda: next(ports, None) or free_port())
        with EmbeddedBroker(tmp_path, cache) as broker:
            assert broker.node.port != taken.getsockname()[1]
            assert probe("127.0.0.1", broker.node.port) == (1, 0)


def test_a_given_port_that_is_taken_is_an_error_at_once(tmp_path, cache):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InUseError, match=f"port {port} is taken"):
            EmbeddedBroker(tmp_path, cache, port=port).start()


async def test_it_starts_while_the_loop_goes_on_and_comes_back_on_its_port(tmp_path, cache):
    port = free_port()
    broker = EmbeddedBroker(tmp_path, cache, port=port)
    starting = asyncio.create_task(broker.start_async())
    turns = 0
    while not starting.done():
        await asyncio.sleep(0.01)
        turns += 1
    await starting
    assert turns > 20
    assert broker.address == f"127.0.0.1:{port}"
    broker.stop()
    with socket.create_server(("127.0.0.1", port)):  # a port that is known to others is never given up for another
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(broker_module, "START_ATTEMPTS", 1)
            with pytest.raises(InUseError, match="Address already in use"):
                await broker.start_async()
        assert not broker.is_running
    assert broker.address == f"127.0.0.1:{port}"


def test_a_folder_that_another_broker_has_is_not_touched(tmp_path, cache):
    with EmbeddedBroker(tmp_path, cache) as first:
        configuration = (tmp_path / "server.properties").read_bytes()
        with pytest.raises(InUseError, match=f"belongs to the broker of process {os.getpid()}"):
            EmbeddedBroker(tmp_path, cache).start()
        assert first.is_running
        assert (tmp_path / "server.properties").read_bytes() == configuration
        first.stop()
        second = EmbeddedBroker(tmp_path, cache)
        second.prepare()
        with pytest.raises(InUseError, match="stop that one first"):
            first.start()
        second.stop()


def test_a_folder_that_kafka_finds_locked_is_an_error(tmp_path, cache, monkeypatch):
    """As for some ms after a killed one."""
    monkeypatch.setattr(broker_module, "START_ATTEMPTS", 1)
    broker = EmbeddedBroker(tmp_path, cache)
    broker.prepare()
    with (tmp_path / "log" / ".lock").open("w") as held:
        fcntl.lockf(held, fcntl.LOCK_EX)
        with pytest.raises(InUseError, match="Failed to acquire lock"):
            broker.start()
    assert not broker.is_running


def test_storage_that_cannot_be_used_is_an_error_with_the_log_s_end(tmp_path, cache):
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "meta.properties").write_text("version=1\ncluster.id=x\nnode.id=77\n")
    broker = EmbeddedBroker(tmp_path, cache)
    with pytest.raises(BrokerError, match=r"(?s)Kafka ended with \d+, see .*broker\.log:\n.*node"):
        broker.start()
    assert not broker.is_running


def test_storage_that_cannot_be_made_is_an_error_with_the_tool_s_words(tmp_path, cache):
    (tmp_path / "log").write_text("a file where a folder should be")
    with pytest.raises(BrokerError, match="cannot format"):
        EmbeddedBroker(tmp_path, cache).start()


def test_a_broker_that_does_not_get_ready_in_time_is_an_error(tmp_path, cache, monkeypatch):
    broker = EmbeddedBroker(tmp_path, cache)
    broker.prepare()
    broker.spawn()
    with pytest.raises(BrokerError, match="Kafka is not ready after 0 s"):
        broker.node.wait_ready(timeout_s=0.01)
    broker.kill()


def test_a_stop_that_is_not_obeyed_becomes_a_kill(tmp_path, cache):
    with EmbeddedBroker(tmp_path, cache) as broker:
        os.kill(broker.pid, signal.SIGSTOP)
        broker.node.stop(timeout_s=0.1)
        assert not broker.is_running


def test_an_interrupted_start_leaves_no_broker_behind(tmp_path, cache, monkeypatch):
    broker = EmbeddedBroker(tmp_path, cache)

    def interrupt(host, port):
        raise KeyboardInterrupt

    monkeypatch.setattr(broker_node, "probe", interrupt)
    with pytest.raises(KeyboardInterrupt):
        broker.start()
    assert not broker.is_running


def test_what_is_no_kafka_is_not_taken_for_one():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def answer():
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ValueError, match="does not answer as Kafka does"):
            probe("127.0.0.1", port)
        thread.join()


def test_java_gets_nothing_of_the_environment(tmp_path, cache, monkeypatch):
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Xmx1m")
    monkeypatch.setenv("JDK_JAVA_OPTIONS", "--nonsense")
    node = Node(tmp_path, jars.fetch(read_lock(), cache / "jars"), heap_mb=128)
    node.configure(broker_module.config.controller(1), 0)
    node.format(broker_node.new_cluster_id())
    assert (tmp_path / "log" / "meta.properties").exists()


def test_options_of_java_win_over_ours_and_a_wrong_one_is_told(tmp_path, cache):
    paths = jars.fetch(read_lock(), cache / "jars")
    options = ["-XX:TieredStopAtLevel=4", "-XX:NoSuchOption=1"]
    node = Node(tmp_path, paths, heap_mb=128, options=options)
    levels = [option for option in node.argv if option.startswith("-XX:TieredStopAtLevel")]
    assert levels[-1] == options[0]
    node.configure(broker_module.config.controller(1), 0)
    with pytest.raises(broker_node.BrokerError, match="NoSuchOption"):
        node.format(broker_node.new_cluster_id())
