"""The auditor shares the record format with the product, and no rule."""

import ast
from pathlib import Path

import ops.audit

FORMAT = {
    "domain.ids",
    "domain.outcomes",
    "domain.roles",
    "domain.stock",
    "streams.protocol",
    "streams.records",
    "domain.order_changes",
    "domain.orders",
    "streams.order_records",
    "streams.stock_records",
}
READING = {"streams.kafka_log", "streams.log", "streams.topics"}
REPLAY = {"tables.stock"}
"""`--replay` runs the product's own decide on purpose."""


def imported(path: Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text()))
    names = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name for name in names if name.split(".")[0] in {"domain", "streams", "tables"}}


def test_the_auditor_imports_formats_and_no_rules():
    files = {path.stem: path for path in Path(next(iter(ops.audit.__path__))).glob("*.py")}
    assert len(files) > 10
    for name, path in files.items():
        allowed = FORMAT | READING if name == "log_source" else FORMAT
        allowed = allowed | REPLAY | {"domain.outcomes"} if name == "replay" else allowed
        assert imported(path) <= allowed, name
    assert imported(files["replay"]) >= REPLAY
