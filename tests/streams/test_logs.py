import ast
import io
import json
import logging
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.acceptance import Verdict
from streams.actions import Action
from streams.logs import RESERVED, Log, LoggingSetupError, RepeatFilter, set_up_logging

ROOT = Path(__file__).parents[2]
PROGRAM = ("streams", "tables", "adapters", "agents", "gateway", "ops")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _root_logger_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)


def logged(stream: io.StringIO) -> list[dict]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_has_a_stable_action_a_sentence_the_fields_and_the_context():
    stream = io.StringIO()
    set_up_logging("info", "json", stream, program="worker", worker="w1")
    Log("agents.inventory", partition=3)(Action.CLAIMED, epoch=7, nonce=b"\x01\xff")
    (line,) = logged(stream)
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info",
        "logger": "agents.inventory",
        "action": "partition.claimed",
        "message": "owns partition 3 at epoch 7",
        "program": "worker",
        "worker": "w1",
        "partition": 3,
        "epoch": 7,
        "nonce": "01ff",
    }


def test_an_error_carries_its_traceback_in_the_same_line():
    stream = io.StringIO()
    set_up_logging("info", "auto", stream)
    try:
        int("x")
    except ValueError as error:
        Log("t")(Action.FAULT, partition=0, problem=error, error=error)
    (line,) = logged(stream)
    assert line["message"].startswith("partition 0: invalid literal")
    assert "Traceback" in line["exception"]
    assert "test_logs.py" in line["exception"]


def test_a_field_never_hides_what_every_line_has():
    stream = io.StringIO()
    set_up_logging("info", "json", stream)
    Log("t")(Action.BROKER_BACK, level="spoofed", message="spoofed")
    (line,) = logged(stream)
    assert (line["level"], line["message"], line["level_"]) == ("info", "the broker answers again", "spoofed")


def test_a_forgotten_field_shows_as_a_question_mark_and_stops_nobody():
    stream = io.StringIO()
    set_up_logging("info", "json", stream)
    Log("t")(Action.CLAIMED, partition=3)
    assert logged(stream)[0]["message"] == "owns partition 3 at epoch ?"


def test_a_terminal_gets_a_readable_line_with_the_fields_that_the_sentence_lacks():
    stream = Terminal()
    set_up_logging("info", "auto", stream)
    Log("t")(Action.GATEWAY_READY, address="127.0.0.1:9092", pid=77)
    line = stream.getvalue()
    assert "the gateway listens at 127.0.0.1:9092" in line
    assert "pid=77" in line
    assert "address=" not in line


def test_libraries_log_through_the_same_handler():
    stream = io.StringIO()
    set_up_logging("info", "json", stream, program="gateway")
    logging.getLogger("faust.worker").warning("rebalance %s", 3)
    logging.getLogger("faust.worker").info("chatter")
    (line,) = logged(stream)
    assert (line["action"], line["message"], line["program"]) == ("library", "rebalance 3", "gateway")


def test_below_the_level_nothing_is_written():
    stream = io.StringIO()
    set_up_logging("warning", "json", stream)
    Log("t")(Action.CLAIMED, partition=3, epoch=7)
    assert stream.getvalue() == ""


@pytest.mark.parametrize(("level", "rendering"), [("loud", "json"), ("info", "xml")])
def test_a_level_or_format_that_is_none_is_refused(level, rendering):
    with pytest.raises(LoggingSetupError, match="is not one of"):
        set_up_logging(level, rendering, io.StringIO())


def test_aiokafka_repeating_itself_is_heard_once_in_five_seconds_and_counted():
    now = 0.0
    heard = RepeatFilter("aiokafka", 5.0, lambda: now)

    def attempt(line: int, name: str = "aiokafka.conn") -> str | None:
        record = logging.LogRecord(name, logging.ERROR, "conn.py", line, "cannot connect to %s", ("b1",), None)
        return record.getMessage() if heard.filter(record) else None

    assert attempt(10) == "cannot connect to b1"
    assert [attempt(10) for _ in range(1000)] == [None] * 1000
    assert attempt(20) == "cannot connect to b1"
    assert attempt(10, "agents") == "cannot connect to b1"
    now = 5.0
    assert attempt(10) == "cannot connect to b1 (and 1000 more like it)"
    assert attempt(10) is None


def test_names_of_actions_are_unique_and_in_one_style():
    labels = [action.label for action in Action]
    assert len(labels) == len(set(labels))
    assert all(set(label) <= set(string.ascii_lowercase + ".-") for label in labels)


def alarms(source: str) -> set[str]:
    """First arguments of `Alarm(...)` that are written out."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    named = [call for call in calls if ast.unparse(call.func) in {"Alarm", "self._fail"}]
    return {call.args[0].value for call in named if isinstance(call.args[0], ast.Constant)}


def alarmed() -> set[str]:
    return set().union(*(alarms(path.read_text()) for path in (ROOT / "streams").glob("*.py")))


def test_every_alarm_of_the_machine_is_in_the_catalogue():
    found = alarmed()
    assert len(found) >= 6
    assert {label for label in found if Action.labelled(label).label != label} == set()
    for verdict in (Verdict.DIVERGENT, Verdict.BROKEN, Verdict.AHEAD):
        assert Action.labelled(f"ledger.{verdict.value}").level >= logging.ERROR
    with pytest.raises(KeyError):
        Action.labelled("no.such")


def fields_of(action: Action) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(action.sentence) if name}


def calls_without_their_fields(source: str) -> list[str]:
    """Each `log(Action.X, ...)` that lacks a field of X's sentence; bound fields of the module count for all."""
    tree = ast.parse(source)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    bound = {
        keyword.arg
        for call in calls
        if (isinstance(call.func, ast.Name) and call.func.id == "Log")
        or (isinstance(call.func, ast.Attribute) and call.func.attr == "bind")
        for keyword in call.keywords
    }
    found = []
    for call in calls:
        names = [arg.attr for arg in call.args if isinstance(arg, ast.Attribute) and is_action(arg)]
        given = {keyword.arg for keyword in call.keywords}
        if not names or None in given:
            continue
        missing = fields_of(Action[names[0]]) - given - bound
        reserved = given & RESERVED - {"message"}
        found += [f"line {call.lineno}: {names[0]} lacks {sorted(missing)}"] if missing else []
        found += [f"line {call.lineno}: {names[0]} may not have {sorted(reserved)}"] if reserved else []
    return found


def test_the_catalogue_has_nothing_that_nobody_logs():
    sources = "\n".join(path.read_text() for folder in PROGRAM for path in (ROOT / folder).rglob("*.py"))
    verdicts = {f"ledger.{verdict.value}" for verdict in Verdict}
    unused = [a for a in Action if f"Action.{a.name}" not in sources]
    assert [a.name for a in unused if a.label not in alarmed() | verdicts and a is not Action.LIBRARY] == []


def is_action(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == "Action"


def test_every_call_in_the_source_gives_the_fields_of_its_sentence():
    paths = [path for folder in PROGRAM for path in sorted((ROOT / folder).rglob("*.py"))]
    found = {str(path.relative_to(ROOT)): calls_without_their_fields(path.read_text()) for path in paths}
    assert {path: calls for path, calls in found.items() if calls} == {}


def test_a_call_that_forgets_a_field_is_found():
    calls = (
        "Log('x', partition=1)",
        "log(Action.CLAIMED)",
        "log(Action.CLAIMED, epoch=1)",
        "log(Action.BACK, level=2)",
    )
    planted = "\n".join(calls).replace("BACK", "BROKER_BACK")
    assert calls_without_their_fields(planted) == [
        "line 2: CLAIMED lacks ['epoch']",
        "line 4: BROKER_BACK may not have ['level']",
    ]
