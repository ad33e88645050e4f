"""The stand-in as a process, for tests that kill it or reach it over HTTP."""

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from adapters.stand_in.charges import Charge, read_lines
from settings import environment_with

READY_S = 60
STOP_S = 30


@contextmanager
def running(folder: Path) -> Iterator["StandInProcess"]:
    """A stand-in without limits that listens; it has to end in order."""
    process = StandInProcess(folder)
    process.start()
    yield process
    assert process.stop() == 0


class StandInProcess:
    """Its book and its log stand in `folder`. The second start has the port of the first."""

    def __init__(self, folder: Path, behaviour: str = "reads_per_s=0&writes_per_s=0", **settings: object) -> None:
        self.book = folder / "book.jsonl"
        self.address = ""
        self._log = folder / "stand-in.log"
        self._settings = {
            "stand_in_book": self.book,
            "stand_in_behaviour": behaviour,
            "stand_in_port": 0,
            "log_format": "json",
            **settings,
        }
        self._process: subprocess.Popen | None = None

    def set(self, **settings: object) -> None:
        """Of its next start."""
        self._settings |= settings

    def start(self) -> None:
        """Return when it listens."""
        environment = environment_with(self._settings)
        with self._log.open("w") as log:
            self._process = subprocess.Popen((sys.executable, "-m", "adapters.stand_in"), env=environment, stderr=log)
        deadline = time.monotonic() + READY_S
        while not (ready := self.logged("stand-in.ready")):
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.02)
        self.address = ready[0]["address"]
        self._settings["stand_in_port"] = self.address.rpartition(":")[2]

    def kill(self) -> None:
        """Nothing happens if it has ended."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """The exit code."""
        self._process.terminate()
        return self._process.wait(STOP_S)

    def logged(self, action: str) -> list[dict]:
        lines = self._log.read_text().splitlines(keepends=True)
        parsed = [json.loads(line) for line in lines if line.endswith("\n") and line.startswith("{")]
        return [line for line in parsed if line["action"] == action]

    def charges(self) -> list[Charge]:
        return read_lines(self.ask("GET", "/_stand_in/book"))

    def ask(self, method: str, path: str, body: object = None, status: int = 200) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        connection = http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=30)
        with closing(connection):
            connection.request(method, path, data)
            answer = connection.getresponse()
            assert answer.status == status
            return answer.read()
