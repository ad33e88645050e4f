"""What the documents say exists: links, tests, make targets, and the reference as the source has it."""

import ast
import re

import pytest

from gateway.problems import Problem
from ops.reference import FOLDER, pages
from tests.source import LAYERS, ROOT, files, modules

LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)(?:#[^)]*)?\)")
TEST = re.compile(r"\btests/[\w/.-]*\w(?:::\w+)?")
PAGE = re.compile(r"\b[\w/-]+\.md\b")
TARGET = re.compile(r"`make ([a-z]+)")


def documents() -> dict[str, str]:
    return {str(path.relative_to(ROOT)): path.read_text("utf-8") for path in files() if path.suffix == ".md"}


def names_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return {
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }


def broken_links(path: str, text: str) -> list[str]:
    folder = (ROOT / path).parent
    return [f"{path}: {link}" for link in LINK.findall(text) if not (folder / link).exists()]


def missing_tests(path: str, text: str) -> list[str]:
    found = []
    for cited in TEST.findall(text):
        file, _, name = cited.partition("::")
        exists = (ROOT / file).exists() or (ROOT / f"{file}.py").exists()
        if not exists or (name and name not in names_in(file)):
            found.append(f"{path}: {cited}")
    return found


def missing_pages(path: str, text: str) -> list[str]:
    """Of a Python file: documents that it names."""
    named = [page for line in text.splitlines() if ".md" in line for page in PAGE.findall(line)]
    return [f"{path}: {page}" for page in named if not (ROOT / page).exists()]


def missing_targets(path: str, text: str) -> list[str]:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    return [f"{path}: make {target}" for target in TARGET.findall(text) if target not in targets]


@pytest.mark.parametrize("check", [broken_links, missing_tests, missing_targets])
def test_what_the_documents_name_exists(check):
    assert [line for path, text in documents().items() for line in check(path, text)] == []


def test_the_source_names_only_documents_that_exist():
    writers = {"ops/reference.py", "tests/test_docs.py"}  # they name pages by file name
    sources = [module for module in modules(*LAYERS, "tests") if module.path not in writers]
    assert [line for module in sources for line in missing_pages(module.path, module.text)] == []


def test_the_api_page_names_every_problem_with_its_status():
    lines = [line for line in (ROOT / "docs/api.md").read_text("utf-8").splitlines() if line.startswith("|")]
    for problem in Problem:
        assert any(f"`{problem.label}`" in line and str(problem.status) in line for line in lines), problem.label


def test_the_reference_is_what_make_docs_writes():
    written = {path.name: path.read_text("utf-8") for path in FOLDER.iterdir()}
    assert {name for name in {*written, *pages()} if written.get(name) != pages().get(name)} == set(), "run `make docs`"


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (broken_links, "see [there](docs/no-such-page.md)"),
        (missing_tests, "shown by `tests/no_such_test.py`"),
        (missing_tests, "shown by `tests/test_docs.py::test_no_such`"),
        (missing_targets, "run `make nothing`"),
        (missing_pages, "as no-such.md says"),
    ],
)
def test_a_document_that_promises_too_much_is_found(check, text):
    assert len(check("README.md", text)) == 1


def test_what_exists_is_not_reported():
    text = "[a](LICENSE) [b](https://kafka.apache.org/x) `tests/test_docs.py::documents` tests/streams/ `make test`"
    assert [line for check in (broken_links, missing_tests, missing_targets) for line in check("README.md", text)] == []
