"""The supervisor keeps children running, stops them politely and then not, and leaves no orphan."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from ops.log_tail import LogTail
from ops.supervisor import Event, Program, Supervisor, UnknownChildError, backoff_s, describe_exit

DEADLINE_S = 20.0


def program(name: str, code: str, rank: int = 0) -> Program:
    return Program(name, (sys.executable, "-u", "-c", textwrap.dedent(code)), {"WORD": "hello"}, rank)


SLEEPER = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = """
    import signal, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print('up', flush=True)
    time.sleep(600)
"""


async def until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, f"not within {DEADLINE_S} s: {what}"
        await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    """Running, neither gone nor a zombie that somebody else has yet to reap."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Recorder:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def what(self) -> list[tuple[str, str]]:
        return [(event.what, event.name) for event in self.events]


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


async def test_a_killed_child_is_started_again(tmp_path: Path, recorder: Recorder) -> None:
    supervisor = Supervisor(tmp_path, recorder)
    await supervisor.start(program("one", SLEEPER))
    first = supervisor.kill("one")
    await until(lambda: supervisor.pid("one") not in {None, first}, "a second process")
    await supervisor.stop_all()
    assert [event.what for event in recorder.events] == ["started", "exited", "started", "stopped"]
    assert recorder.events[1].detail == "SIGKILL"
    assert recorder.events[2].at_s - recorder.events[1].at_s >= backoff_s(1) * 0.9


async def test_a_child_that_keeps_exiting_is_started_ever_more_slowly(tmp_path: Path, recorder: Recorder) -> None:
    supervisor = Supervisor(tmp_path, recorder)
    await supervisor.start(program("bad", "raise SystemExit(70)"))
    await until(lambda: supervisor.exits("bad") >= 3, "three exits")
    await supervisor.stop_all()
    starts = [event.at_s for event in recorder.events if event.what == "started"]
    gaps = [later - earlier for earlier, later in pairwise(starts)]
    assert gaps[0] >= backoff_s(1) * 0.9
    assert gaps[1] >= backoff_s(2) * 0.9
    assert {event.detail for event in recorder.events if event.what == "exited"} == {"exit 70"}


def test_back_off_doubles_up_to_ten_seconds() -> None:
    assert [backoff_s(n) for n in (1, 2, 3, 4, 5, 5000)] == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


def test_exits_are_named_as_people_know_them() -> None:
    assert [describe_exit(code) for code in (0, 70, -9, -99)] == ["exit 0", "exit 70", "SIGKILL", "signal 99"]


async def test_stop_ends_a_child_that_ignores_term(tmp_path: Path, recorder: Recorder) -> None:
    supervisor = Supervisor(tmp_path, recorder, grace_s=0.2)
    await supervisor.start(program("stubborn", STUBBORN))
    await until(lambda: "up" in supervisor.log("stubborn").read_text(), "the child ignores TERM")
    pid = supervisor.pid("stubborn")
    await supervisor.stop("stubborn")
    assert recorder.what() == [("started", "stubborn"), ("killed", "stubborn")]
    assert pid is not None
    assert not alive(pid)
    assert supervisor.names == []


async def test_stop_in_the_middle_of_a_back_off_starts_nothing(tmp_path: Path, recorder: Recorder) -> None:
    supervisor = Supervisor(tmp_path, recorder)
    await supervisor.start(program("bad", "raise SystemExit(1)"))
    await until(lambda: supervisor.exits("bad") == 1, "the first exit")
    await supervisor.stop("bad")
    assert recorder.what() == [("started", "bad"), ("exited", "bad")]


async def test_ranks_stop_one_after_another(tmp_path: Path, recorder: Recorder) -> None:
    supervisor = Supervisor(tmp_path, recorder)
    await supervisor.start(program("worker", SLEEPER, rank=1))
    await supervisor.start(program("gateway", SLEEPER, rank=0))
    await supervisor.stop_all()
    assert recorder.what()[2:] == [("stopped", "gateway"), ("stopped", "worker")]


async def test_a_program_that_cannot_be_started_at_first_is_an_error(tmp_path: Path, recorder: Recorder) -> None:
    supervisor = Supervisor(tmp_path, recorder)
    with pytest.raises(FileNotFoundError):
        await supervisor.start(Program("none", (str(tmp_path / "no-such-program"),), {}))
    assert supervisor.names == []


async def test_a_program_that_vanishes_is_tried_again(tmp_path: Path, recorder: Recorder) -> None:
    script = tmp_path / "program"
    script.write_text("#!/bin/sh\nexit 3\n")
    script.chmod(0o755)
    supervisor = Supervisor(tmp_path / "logs", recorder)
    await supervisor.start(Program("script", (str(script),), {}))
    script.unlink()
    await until(lambda: ("failed", "script") in recorder.what(), "a failed start")
    script.write_text("#!/bin/sh\nexec sleep 600\n")
    script.chmod(0o755)
    await until(lambda: supervisor.pid("script") is not None, "it runs again")
    await supervisor.stop_all()


async def test_names_are_unique_and_unknown_ones_an_error(tmp_path: Path, recorder: Recorder) -> None:
    supervisor = Supervisor(tmp_path, recorder)
    await supervisor.start(program("one", SLEEPER))
    with pytest.raises(ValueError, match="already there"):
        await supervisor.start(program("one", SLEEPER))
    with pytest.raises(UnknownChildError, match="there are: one"):
        supervisor.pid("two")
    await supervisor.stop_all()


async def test_output_goes_to_a_file_and_the_run_before_is_kept(tmp_path: Path, recorder: Recorder) -> None:
    code = "import os, sys; print(os.environ['WORD']); print('oops', file=sys.stderr); import time; time.sleep(600)"
    (tmp_path / "one.log").write_text("the run before\n")
    supervisor, tail = Supervisor(tmp_path, recorder), LogTail()
    await supervisor.start(program("one", code))
    found: list[str] = []
    await until(lambda: found.extend(tail.lines(supervisor.log("one"))) or len(found) >= 2, "two lines")
    await supervisor.stop_all()
    tail.close()
    assert found == ["hello", "oops"]
    assert (tmp_path / "one.log.1").read_text() == "the run before\n"


def test_a_tail_gives_whole_lines_and_survives_a_cut(tmp_path: Path) -> None:
    log, tail = tmp_path / "x.log", LogTail()
    assert tail.lines(log) == []
    log.write_text("one\ntw")
    assert tail.lines(log) == ["one"]
    with log.open("a") as file:
        file.write("o\n")
    assert tail.lines(log) == ["two"]
    os.truncate(log, 0)
    with log.open("a") as file:
        file.write("3\n")
    assert tail.lines(log) == ["3"]
    tail.close()


PARENT = """
    import asyncio, sys
    from pathlib import Path
    from ops.supervisor import Program, Supervisor

    async def main():
        supervisor = Supervisor(Path(sys.argv[1]), lambda event: print(event.what, event.pid, flush=True))
        for n in range(3):
            await supervisor.start(Program(f"child{n}", (sys.executable, "-c", "import time; time.sleep(600)"), {}))
        await asyncio.sleep(600)

    asyncio.run(main())
"""


def test_no_orphan_outlives_a_supervisor_killed_with_9(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(PARENT), str(tmp_path)], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pids = [int(parent.stdout.readline().split()[1]) for _ in range(3)]
    assert all(alive(pid) for pid in pids)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    asyncio.run(until(lambda: not any(alive(pid) for pid in pids), "all children are gone"))
