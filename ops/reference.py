"""Writes docs/reference from the catalogues in the source: `python -m ops.reference`, or `make docs`.

A test compares the files with `pages()`, so the reference is never older than the code.
"""

import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from domain import orders
from domain.outcomes import Outcome
from domain.stock import COMMANDS
from ops import asyncapi, order_states
from settings import (
    AgentSettings,
    ConfirmationSettings,
    GatewaySettings,
    PaymentSettings,
    RelaySettings,
    Shared,
    SnapshotSettings,
    StandInSettings,
    WorkerSettings,
)
from streams.actions import Action
from streams.metrics import AGENT, CONFIRMATION, GATEWAY, PAYMENT, PROCESS, SNAPSHOT, WORKER, Metric
from streams.protocol import PROTOCOL_COMMANDS
from streams.topics import CATALOGUE, DAY_MS, Topic

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
HEAD = "<!-- Written by `make docs` from the source; do not edit. -->\n"
PROGRAMS: dict[str, type[Shared]] = {
    "Every program": Shared,
    "Every agent (`python -m agents ROLE`)": AgentSettings,
    "Owners (`python -m agents inventory`, `python -m agents order`)": WorkerSettings,
    "Snapshots (`python -m agents snapshot`)": SnapshotSettings,
    "Relay (`python -m agents relay`)": RelaySettings,
    "Payment and compensation (`python -m agents payment`, `python -m agents compensation`)": PaymentSettings,
    "Confirmation (`python -m agents confirmation`)": ConfirmationSettings,
    "Gateway (`python -m gateway`)": GatewaySettings,
    "Stripe's stand-in (`python -m adapters.stand_in`)": StandInSettings,
}


def pages() -> dict[str, str]:
    """File name -> text of every page."""
    return {
        "settings.md": _settings(),
        "topics.md": _topics(),
        "metrics.md": _metrics(),
        "log-actions.md": _actions(),
        "outcomes.md": _outcomes(),
        "commands.md": _commands(),
        "order-states.md": _order_states(),
        "asyncapi.json": json.dumps(asyncapi.document(), indent=2) + "\n",
    }


def main() -> None:
    """Write the pages."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, "utf-8")


def _settings() -> str:
    parts = ["# Settings", "Environment variables, read once at the start of a program."]
    for title, model in PROGRAMS.items():
        inherited = {name for base in model.__bases__ for name in getattr(base, "model_fields", ())}
        rows = [
            (f"`TURNSTILE_{name.upper()}`", _default(field), field.description or "")
            for name, field in model.model_fields.items()
            if name not in inherited
        ]
        if rows:
            parts += [f"## {title}", _table(("variable", "default", "meaning"), rows)]
    return _page(parts)


def _default(field: Any) -> str:
    factory = field.default_factory
    if factory is not None:
        return (factory.__doc__ or "").split(",")[0].split(":")[0]
    return f"`{field.default}`" if str(field.default) else "-"


def _topics() -> str:
    def kept(topic: Topic) -> str:
        if topic.cleanup == "compact":
            return "compacted"
        return "all" if topic.retention_ms < 0 else f"{topic.retention_ms // DAY_MS} d"

    rows = [(f"`{topic.name}`", kept(topic), topic.timestamp_type) for topic in CATALOGUE]
    return _page(
        [
            "# Topics",
            (
                "All have the same number of partitions (`TURNSTILE_PARTITIONS`), for the life of a log; a namespace "
                "is a prefix of the names. `turnstile topics apply` creates and checks them."
            ),
            _table(("topic", "kept", "timestamps"), rows),
        ]
    )


def _metrics() -> str:
    def rows(metrics: Iterable[Metric]) -> list[tuple[str, ...]]:
        return [(f"`{m.name}`", m.kind, ", ".join(m.labels) or "-", m.meaning) for m in metrics]

    head = ("metric", "type", "labels", "meaning")
    parts = {
        "Owners, agents and gateways": PROCESS,
        "Owners": WORKER,
        "Snapshots of owners": SNAPSHOT,
        "Agents": AGENT,
        "Payment": PAYMENT,
        "Confirmation": CONFIRMATION,
        "Gateway": GATEWAY,
    }
    sections = [text for title, metrics in parts.items() for text in (f"## {title}", _table(head, rows(metrics)))]
    own = (
        "Every process also tells its resident size, CPU and descriptors: `process_resident_memory_bytes`, `process_*`."
    )
    return _page(["# Metrics", own, *sections])


def _actions() -> str:
    rows = [(f"`{a.label}`", logging.getLevelName(a.level).lower(), a.sentence) for a in Action]
    return _page(
        ["# Log actions", "Every line of JSON carries one `action`.", _table(("action", "level", "sentence"), rows)]
    )


def _outcomes() -> str:
    rows = [(str(int(outcome)), f"`{outcome.label}`") for outcome in Outcome]
    return _page(
        [
            "# Outcomes",
            (
                "What a command can come to, in the order in which it is checked. The code stands in the ledger; 128 "
                "added to it says that the command was decided before and this is the first answer again."
            ),
            _table(("code", "outcome"), rows),
        ]
    )


def _commands() -> str:
    def table(kinds: Mapping[int, type]) -> str:
        rows = [
            (str(kind), f"`{command.__name__}`", (command.__doc__ or "").splitlines()[0])
            for kind, command in sorted(kinds.items())
        ]
        return _table(("kind", "command", "meaning"), rows)

    parts = ["# Commands", "What a record of `stock.commands` may hold.", table(COMMANDS)]
    parts += ["What a record of `order.commands` may hold.", table(orders.COMMANDS)]
    parts += ["What a record of either may hold: the protocol's own.", table(PROTOCOL_COMMANDS)]
    return _page(parts)


def _order_states() -> str:
    about = (
        "What [the journey](../journey.md) is made of, from the table in `domain/order_table.py`. EARLY, UNDO and "
        "RETURNING are not shown to clients: CANCELLED, the last forward state, and REFUND_PENDING stand for them."
    )
    reading = (
        "The rows of an event are tried from the top, the first that applies counts; where none does, nothing changes "
        "and nothing is asked. SETTLE ends the way back when nothing is waited for any more."
    )
    letters = [
        "Lines: " + ", ".join(f"{state.value} {state.name.lower()}" for state in orders.LineState) + ".",
        "Money: " + ", ".join(f"{state.value} {state.name.lower()}" for state in orders.Pay) + ".",
    ]
    rows = _table(("phase", "event", "guard", "becomes", "asks"), order_states.rows())
    return _page(["# States of an order", about, order_states.diagram(), reading, *letters, rows])


def _page(parts: Iterable[str]) -> str:
    return HEAD + "\n" + "\n\n".join(parts) + "\n"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


if __name__ == "__main__":
    main()
