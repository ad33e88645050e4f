"""The project's own files, as the tests of its shape read them."""

import ast
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
LAYERS = ("domain", "streams", "tables", "adapters", "agents", "gateway", "ops", "bench")
SKIPPED = frozenset(
    {".venv", ".git", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", "__pycache__", "build"}
)


class Module(NamedTuple):
    """One Python file: its path below the root, its text, its tree."""

    path: str
    text: str
    tree: ast.Module


def parse(path: str, text: str) -> Module:
    return Module(path, text, ast.parse(text, path))


@cache
def modules(*folders: str) -> list[Module]:
    """The Python files of these folders and, of the root, settings.py."""
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return [parse(str(path.relative_to(ROOT)), path.read_text("utf-8")) for path in [ROOT / "settings.py", *paths]]


def product() -> list[Module]:
    return modules(*LAYERS)


def files() -> list[Path]:
    """Every file of the project that is text: what git would keep."""
    found = []
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        if path.is_file() and not SKIPPED & set(parts) and not any(part.endswith(".egg-info") for part in parts):
            found.append(path)
    return found
