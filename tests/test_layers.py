"""The import order: domain < streams < tables | adapters < agents | gateway | ops < bench < tests."""

import ast
import sys

import pytest

from tests.source import LAYERS, Module, modules, parse, product

# What a folder may import besides itself and libraries. settings is read by programs and handed on.
MAY_IMPORT = {
    "domain": set(),
    "settings": set(),
    "streams": {"domain", "settings"},
    "tables": {"domain", "streams", "settings"},
    "adapters": {"domain", "streams", "settings"},
    "agents": {"domain", "streams", "tables", "adapters", "settings"},
    "gateway": {"domain", "streams", "tables", "adapters", "settings"},
    "ops": {"domain", "streams", "tables", "adapters", "settings"},
    "bench": {"domain", "streams", "tables", "adapters", "gateway", "ops", "settings"},
    # Nothing imports agents: ops and tests start them as processes.
}
# `decide` is the same on every machine and in every replay: nothing here may tell two of them apart.
NOT_IN_DOMAIN = {"time", "random", "secrets", "asyncio", "os", "socket", "threading", "logging", "datetime"}
NOT_CALLED_IN_DOMAIN = {"uuid1", "uuid4", "urandom", "getpid", "environ", "now", "time_ns"}


def imports(module: Module) -> list[tuple[int, str]]:
    """Return (line, dotted name) of every import, wherever it stands."""
    found = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.lineno, "." * node.level + (node.module or "")))
    return found


def folder_of(module: Module) -> str:
    return module.path.split("/")[0].removesuffix(".py")


def against_the_order(module: Module) -> list[str]:
    here = folder_of(module)
    found = []
    for line, name in imports(module):
        there = name.split(".")[0]
        if name.startswith("."):
            found.append(f"{module.path}:{line} imports relatively")
        elif there in {*LAYERS, "settings", "tests"} and there != here and there not in MAY_IMPORT[here]:
            found.append(f"{module.path}:{line} imports {name}")
    return found


def impure(module: Module) -> list[str]:
    found = []
    for line, name in imports(module):
        top = name.split(".")[0]
        if top in NOT_IN_DOMAIN or (top not in sys.stdlib_module_names and top != "domain"):
            found.append(f"{module.path}:{line} imports {name}")
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom):
            found += [
                f"{module.path}:{node.lineno} imports {a.name}" for a in node.names if a.name in NOT_CALLED_IN_DOMAIN
            ]
        elif isinstance(node, ast.Attribute) and node.attr in NOT_CALLED_IN_DOMAIN:
            found.append(f"{module.path}:{node.lineno} uses {node.attr}")
        elif isinstance(node, ast.AsyncFunctionDef):
            found.append(f"{module.path}:{node.lineno} is async")
    return found


def test_every_module_imports_only_from_layers_below():
    assert [line for module in product() for line in against_the_order(module)] == []


def test_every_folder_with_code_stands_in_the_order():
    assert set(MAY_IMPORT) == {*LAYERS, "settings"}


def test_domain_is_the_standard_library_without_clock_chance_or_environment():
    domain = [module for module in modules("domain") if folder_of(module) == "domain"]
    assert len(domain) > 3
    assert [line for module in domain for line in impure(module)] == []


def test_package_files_are_empty():
    packages = [module for module in product() if module.path.endswith("__init__.py")]
    assert len(packages) > 4
    assert [module.path for module in packages if module.text.strip()] == []


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("domain/x.py", "from streams.records import digest"),
        ("domain/x.py", "import settings"),
        ("streams/x.py", "import tables"),
        ("tables/x.py", "from adapters import sql"),
        ("adapters/x.py", "from tables import rows"),
        ("gateway/x.py", "from ops import supervisor"),
        ("agents/x.py", "import ops.broker"),
        ("agents/x.py", "import gateway.app"),
        ("ops/x.py", "import gateway.app"),
        ("ops/x.py", "def f():\n    from agents import inventory"),
        ("streams/x.py", "from tests.source import ROOT"),
        ("streams/x.py", "from . import records"),
        ("settings.py", "import domain.ids"),
    ],
)
def test_a_planted_import_is_found(path, line):
    assert len(against_the_order(parse(path, line))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "import time",
        "from random import choice",
        "from uuid import uuid4",
        "import uuid\nx = uuid.uuid4()",
        "import os",
        "import asyncio",
        "import msgspec",
        "from datetime import datetime",
        "async def f(): pass",
    ],
)
def test_planted_impurity_is_found(text):
    assert len(impure(parse("domain/x.py", text))) == 1


def test_what_is_allowed_is_not_reported():
    allowed = parse(
        "ops/x.py", "import json\nimport typer\nfrom streams.records import digest\nfrom settings import Shared"
    )
    assert against_the_order(allowed) == []
    assert impure(parse("domain/x.py", "import hashlib\nfrom uuid import UUID\nfrom domain import ids")) == []
