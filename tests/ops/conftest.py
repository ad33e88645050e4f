"""The operator's command, run in this process with a data folder of its own."""

import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from ops.__main__ import main


@pytest.fixture
def data_dir(tmp_path) -> Path:
    return tmp_path / "data"


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def turnstile(data_dir, monkeypatch, capsys):
    """Run the command in this process, with a data folder of its own: no broker runs there."""

    def run(*arguments: str, **settings: object) -> Done:
        for name, value in {"data_dir": data_dir, **settings}.items():
            monkeypatch.setenv(f"TURNSTILE_{name.upper()}", str(value))
        monkeypatch.setattr(sys, "argv", ["turnstile", *arguments])
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
        return Done(code, *capsys.readouterr())

    return run
