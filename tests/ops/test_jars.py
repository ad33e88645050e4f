"""Jars come whole and with the lock's hash, or not at all."""

import collections
import hashlib
import io
import itertools
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from rich.console import Console

from ops import jars
from ops.broker_node import free_port
from ops.jars_lock import Jar, read_lock, write_lock

BODY = {f"part{i}": bytes([i]) * (100_000 + i) for i in range(1, 13)}


def jar(name: str) -> Jar:
    body = BODY[name]
    return Jar("org.example.deep", name, "1.0", hashlib.sha256(body).hexdigest(), len(body))


LOCK = [jar(name) for name in BODY]


class Mirror(ThreadingHTTPServer):
    """Serves BODY below /maven. `trouble`: name -> what to do with each request in turn, then it is well."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.trouble = collections.defaultdict(list)
        self.asked = collections.Counter()
        self.active = 0
        self.most_active = 0
        self.lock = threading.Lock()
        self.gate = None

    @property
    def base(self):
        return f"http://127.0.0.1:{self.server_port}/maven"

    def handle_error(self, request, client_address):
        pass  # a client that goes away in the middle is what some tests are about


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        name = self.path.split("/")[-3]
        assert self.path == f"/maven/org/example/deep/{name}/1.0/{name}-1.0.jar"
        with server.lock:
            server.asked[name] += 1
            server.active += 1
            server.most_active = max(server.active, server.most_active)
            trouble = server.trouble[name].pop(0) if server.trouble[name] else "none"
        if server.gate is not None:
            server.gate.wait(5)
        try:
            self.answer(BODY[name], trouble)
        finally:
            with server.lock:
                server.active -= 1

    def answer(self, body, trouble):
        if trouble.isdigit():
            self.send_error(int(trouble))
            return
        if trouble == "dropped":
            self.connection.close()
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if trouble == "truncated":
            self.wfile.write(body[: len(body) // 2])
        elif trouble == "corrupted":
            self.wfile.write(b"?" + body[1:])
        else:
            self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def mirror(monkeypatch):
    monkeypatch.setattr(jars, "BACKOFF_S", 0.001)
    server = Mirror()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


WHOLE = {f"{name}-1.0.jar": body for name, body in BODY.items()}


def test_all_jars_come_and_nothing_else_is_left(mirror, tmp_path):
    paths = jars.fetch(LOCK, tmp_path / "jars", mirror.base)
    assert [path.name for path in paths] == list(WHOLE)
    assert files(tmp_path / "jars") == WHOLE


def test_eight_come_at_a_time(mirror, tmp_path):
    mirror.gate = threading.Barrier(8)
    jars.fetch(LOCK[:8], tmp_path, mirror.base)
    assert mirror.most_active == 8


def test_a_warm_cache_needs_no_network(mirror, tmp_path):
    jars.fetch(LOCK, tmp_path, mirror.base)
    asked = mirror.asked.total()
    assert len(jars.fetch(LOCK, tmp_path, f"http://127.0.0.1:{free_port()}")) == len(LOCK)
    assert jars.missing(LOCK, tmp_path) == []
    assert mirror.asked.total() == asked


def test_only_what_is_missing_is_fetched(mirror, tmp_path):
    jars.fetch(LOCK[:5], tmp_path, mirror.base)
    jars.fetch(LOCK, tmp_path, mirror.base)
    assert set(mirror.asked.values()) == {1}


@pytest.mark.parametrize("trouble", ["corrupted", "truncated", "dropped", "500", "503", "429"])
def test_a_bad_answer_is_asked_again(mirror, tmp_path, trouble):
    mirror.trouble["part3"] = [trouble, trouble]
    jars.fetch(LOCK, tmp_path, mirror.base)
    assert mirror.asked["part3"] == 3
    assert files(tmp_path) == WHOLE


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        ("corrupted", "another sha256"),
        ("truncated", "bytes"),
        ("dropped", "closed connection"),
        ("500", "500"),
        ("503", "503"),
    ],
)
def test_a_jar_that_stays_bad_is_an_error_and_leaves_no_file(mirror, tmp_path, trouble, reason):
    mirror.trouble["part3"] = [trouble] * 100
    with pytest.raises(jars.JarError, match=reason) as caught:
        jars.fetch(LOCK, tmp_path, mirror.base)
    assert f"{mirror.base}/org/example/deep/part3/1.0/part3-1.0.jar" in str(caught.value)
    assert "TURNSTILE_MIRROR" in str(caught.value)
    assert mirror.asked["part3"] == jars.ATTEMPTS
    assert files(tmp_path).items() <= WHOLE.items()
    assert "part3-1.0.jar" not in files(tmp_path)


def test_a_jar_that_the_mirror_does_not_have_is_asked_for_once(mirror, tmp_path):
    mirror.trouble["part3"] = ["404"] * 100
    with pytest.raises(jars.JarError, match="404"):
        jars.fetch(LOCK, tmp_path, mirror.base)
    assert mirror.asked["part3"] == 1


def test_an_error_stops_the_other_downloads(mirror, tmp_path, monkeypatch):
    mirror.trouble["part1"] = ["404"]
    for name in list(BODY)[1:]:
        mirror.trouble[name] = ["500"] * 100
    monkeypatch.setattr(jars, "BACKOFF_S", 60.0)  # the others wait: the error must wake them
    begun = time.monotonic()
    with pytest.raises(jars.JarError, match="part1-"):
        jars.fetch(LOCK, tmp_path, mirror.base)
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize("damage", [b"", b"short", bytes(100_003)])
def test_a_cached_jar_that_was_damaged_is_fetched_again(mirror, tmp_path, damage):
    jars.fetch(LOCK, tmp_path, mirror.base)
    (tmp_path / "part3-1.0.jar").write_bytes(damage)
    assert jars.missing(LOCK, tmp_path) == [jar("part3")]
    jars.fetch(LOCK, tmp_path, mirror.base)
    assert mirror.asked["part3"] == 2
    assert files(tmp_path) == WHOLE


def test_no_jar_shows_under_its_name_before_it_is_complete(mirror, tmp_path):
    """Cut off in the middle of every download, by an error out of the progress report."""

    class CutError(Exception):
        pass

    def cut(done, total):
        if done > 250_000:
            raise CutError

    with pytest.raises(CutError):
        jars.fetch(LOCK, tmp_path, mirror.base, cut)
    assert files(tmp_path).items() <= WHOLE.items()


def test_what_a_killed_program_left_behind_goes_after_an_hour(mirror, tmp_path):
    for name, age_s in (("old", 3_700), ("young", 60)):
        left = tmp_path / f".{name}.jar.00000000.part"
        left.write_bytes(b"half")
        os.utime(left, (time.time() - age_s,) * 2)
    jars.fetch(LOCK, tmp_path, mirror.base)
    assert files(tmp_path) == {**WHOLE, ".young.jar.00000000.part": b"half"}


def test_two_programs_may_fetch_at_the_same_time(mirror, tmp_path):
    errors = []

    def fetch():
        try:
            jars.fetch(LOCK, tmp_path, mirror.base)
        except (OSError, jars.JarError) as error:
            errors.append(error)

    threads = [threading.Thread(target=fetch) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert files(tmp_path) == WHOLE


def test_nobody_at_the_mirror_is_said_with_what_to_check(mirror, tmp_path):
    with pytest.raises(jars.JarError, match=r"refused.*HTTPS_PROXY and SSL_CERT_FILE.*TURNSTILE_MIRROR"):
        jars.fetch(LOCK, tmp_path, f"http://127.0.0.1:{free_port()}")


def test_a_proxy_is_used(mirror, tmp_path, monkeypatch):
    """The mirror plays the proxy: it is asked for a host that does not exist."""
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{mirror.server_port}")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setattr(Handler, "do_GET", proxied(Handler.do_GET))
    jars.fetch(LOCK, tmp_path, "http://jars.invalid/maven")
    assert files(tmp_path) == WHOLE


def proxied(serve):
    def do_get(handler):
        assert handler.path.startswith("http://jars.invalid/")
        handler.path = handler.path.removeprefix("http://jars.invalid")
        serve(handler)

    return do_get


@pytest.mark.parametrize("mirror_url", ["ftp://example.org", "example.org/maven", "file:///etc"])
def test_a_mirror_that_is_no_http_address_is_refused(tmp_path, mirror_url):
    with pytest.raises(jars.JarError, match="expected an http:// or https:// base URL"):
        jars.fetch(LOCK, tmp_path, mirror_url)


def test_a_full_disk_is_said(mirror, tmp_path, monkeypatch):
    def full(path, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(jars.JarError, match=r"cannot store part\d+-1\.0\.jar in .*No space left"):
        jars.fetch(LOCK, tmp_path, mirror.base)


def test_the_report_ends_at_the_total_also_after_failed_attempts(mirror, tmp_path):
    mirror.trouble["part3"] = ["truncated", "corrupted"]
    reports = []
    jars.fetch(LOCK, tmp_path, mirror.base, lambda done, total: reports.append((done, total)))
    total = sum(map(len, BODY.values()))
    assert reports[0] == (0, total)
    assert reports[-1] == (total, total)
    assert any(later[0] < sooner[0] for sooner, later in itertools.pairwise(reports))


def test_without_a_terminal_progress_is_one_line_and_nothing_when_nothing_is_fetched(mirror, tmp_path):
    outputs = []
    for _ in range(2):
        console = Console(file=io.StringIO(), force_terminal=False)
        with jars.progress_bar(console, "Fetching Kafka") as report:
            jars.fetch(LOCK, tmp_path, mirror.base, report)
        outputs.append(console.file.getvalue())
    assert outputs == ["Fetching Kafka: 1 MB\n", ""]


def test_the_lock_pins_kafka_and_its_closure():
    lock = read_lock()
    assert len(lock) == 46
    assert [jar.version for jar in lock if jar.artifact == "kafka_2.13"] == ["4.3.1"]
    versions = {jar.artifact: jar.version for jar in lock}
    assert versions["log4j-slf4j-impl"] == versions["log4j-core"]
    assert versions["slf4j-api"].startswith("1.7.")


def test_a_lock_comes_back_as_it_was_written(tmp_path):
    write_lock(LOCK, tmp_path / "lock")
    assert read_lock(tmp_path / "lock") == sorted(LOCK)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("org.example:a:1 sha256:00 1", "lock:2: not"),
        (f"org.example:a sha256:{'0' * 64} 1", "lock:2: not"),
        (f"org.example:../a:1 sha256:{'0' * 64} 1", "lock:2: not"),
        ("", "lock:2: not"),
        (str(jar("part1")), "lock:2: part1-1.0.jar stands twice"),
    ],
)
def test_a_lock_with_a_bad_line_is_refused(tmp_path, line, problem):
    (tmp_path / "lock").write_text(f"{jar('part1')}\n{line}\n")
    with pytest.raises(ValueError, match=problem):
        read_lock(tmp_path / "lock")
