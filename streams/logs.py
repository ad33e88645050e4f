"""Structured logs on the standard library: JSON lines for machines, one readable line each on a terminal.

`log = Log("agents.inventory", worker="w1")`, then `log(Action.CLAIMED, partition=3, epoch=7)`. What may be logged
stands in streams/actions.py.
"""

import json
import logging
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum
from typing import Any, TextIO

from streams.actions import Action

RESERVED = frozenset({"time", "level", "logger", "action", "message", "exception"})
REPEAT_AFTER_S = 5.0  # aiokafka without a broker logs thousands of lines a second: one of each kind in this time
LIMITED = "aiokafka"
QUIET = (
    "aiokafka",
    "faust",
    "mode",
    "uvicorn",
    "asyncio",
    "httpx",
    "stripe",
)  # at info they tell what only debugging needs
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_COLOURS = {"DEBUG": "2", "INFO": "36", "WARNING": "33", "ERROR": "31", "CRITICAL": "1;31"}


class LoggingSetupError(ValueError):
    """A level or format that is none: correct TURNSTILE_LOG_LEVEL or TURNSTILE_LOG_FORMAT."""


class Log:
    """Logs actions of one part of a program; `bound` fields go with each of them."""

    def __init__(self, name: str, **bound: object) -> None:
        self._logger = logging.getLogger(name)
        self._bound = bound

    def bind(self, **bound: object) -> "Log":
        """Return a log with more fields bound."""
        return Log(self._logger.name, **{**self._bound, **bound})

    def __call__(self, action: Action, *, error: BaseException | None = None, **fields: object) -> None:
        """Log `action`; `error` adds its traceback. Bytes become hex, enums their names, the rest JSON or text."""
        if not self._logger.isEnabledFor(action.level):
            return
        plain = _Fields((key, _plain(value)) for key, value in {**self._bound, **fields}.items())
        message = action.sentence.format_map(plain)
        self._logger.log(action.level, message, exc_info=error, extra={"action": action.label, "fields": plain})


def set_up_logging(level: str, rendering: str, stream: TextIO | None = None, **context: object) -> None:
    """Send every log of this process to `stream` (stderr): once, first thing in a program.

    `level` and `rendering` as in settings.Shared; `context` (program, worker) stands in every JSON line, those of
    libraries too.
    """
    target = sys.stderr if stream is None else stream
    if level not in _LEVELS:
        message = f"log level {level!r} is not one of {', '.join(_LEVELS)}"
        raise LoggingSetupError(message)
    handler = logging.StreamHandler(target)
    handler.setFormatter(_formatter(rendering, target, context))
    handler.addFilter(RepeatFilter(LIMITED, REPEAT_AFTER_S, time.monotonic))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(_LEVELS[level])
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.DEBUG if level == "debug" else logging.WARNING)
    logging.captureWarnings(capture=True)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, action, message, then the fields."""

    def __init__(self, context: dict[str, object]) -> None:
        super().__init__()
        self._context = {key: _plain(value) for key, value in context.items()}

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": _utc(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "action": getattr(record, "action", Action.LIBRARY.label),
            "message": record.getMessage(),
        }
        for key, value in {**self._context, **getattr(record, "fields", {})}.items():
            line[f"{key}_" if key in RESERVED else key] = value
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class ConsoleFormatter(logging.Formatter):
    """Clock, level and sentence; fields that the sentence does not show follow it."""

    def __init__(self, *, colour: bool) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        fields: dict[str, object] = getattr(record, "fields", {})
        rest = "".join(f" {key}={value}" for key, value in fields.items() if str(value) not in message)
        if not hasattr(record, "action"):
            message = f"{record.name}: {message}"
        clock = datetime.fromtimestamp(record.created, UTC).astimezone().strftime("%H:%M:%S.%f")[:-3]
        level = f"{record.levelname:8}"
        if self._colour:
            level = f"\x1b[{_COLOURS.get(record.levelname, '0')}m{level}\x1b[0m"
            rest = f"\x1b[2m{rest}\x1b[0m" if rest else ""
        line = f"{clock} {level} {message}{rest}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class RepeatFilter(logging.Filter):
    """Lets one record a call site through in `after_s`, and says on the next how many it kept back.

    For the logger `prefix` and those below it. Keyed by call site, so its memory is bounded by the library's code.
    """

    def __init__(self, prefix: str, after_s: float, clock: Callable[[], float]) -> None:
        super().__init__()
        self._prefix = prefix
        self._after_s = after_s
        self._clock = clock
        self._sites: dict[tuple[str, int], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name != self._prefix and not record.name.startswith(self._prefix + "."):
            return True
        site = (record.pathname, record.lineno)
        now = self._clock()
        since, kept = self._sites.get(site, (float("-inf"), 0))
        if now - since < self._after_s:
            self._sites[site] = (since, kept + 1)
            return False
        self._sites[site] = (now, 0)
        if kept:
            record.msg = f"{record.getMessage()} (and {kept} more like it)"
            record.args = None
        return True


class _Fields(dict[str, Any]):
    """A field that a call forgot shows as ?: a log line never stops a partition. A test finds such calls."""

    def __missing__(self, key: str) -> str:
        return "?"


def _formatter(rendering: str, target: TextIO, context: dict[str, object]) -> logging.Formatter:
    if rendering == "json" or (rendering == "auto" and not target.isatty()):
        return JsonFormatter(context)
    if rendering in {"console", "auto"}:
        return ConsoleFormatter(colour=target.isatty())
    message = f"log format {rendering!r} is not one of auto, json, console"
    raise LoggingSetupError(message)


def _plain(value: object) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Enum):
        return value.name.lower().replace("_", "-")
    return value


def _utc(created: float) -> str:
    return datetime.fromtimestamp(created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
