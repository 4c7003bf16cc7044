"""The house limits, kept by a test: sizes, broad excepts, wording, the docs' own promises."""

import ast
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from surefoot.domain.lifecycle import diagram

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "surefoot"
MODULES = sorted(SOURCE.rglob("*.py"))
FUNCTION_LINES = 70
MODULE_LINES = 600
KEEPER_LINES = 300
BROAD = {"engine/driver.py": 1, "api/edge.py": 1, "cli/main.py": 1}


def tree(module):
    return ast.parse(module.read_text(encoding="utf-8"))


def functions(module):
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return [node for node in ast.walk(tree(module)) if isinstance(node, kinds)]


def test_functions_and_modules_stay_small():
    """No function over 70 lines, no module over 600."""
    long = [
        f"{module.relative_to(ROOT)}:{node.lineno} {node.name}"
        for module in MODULES
        for node in functions(module)
        if node.end_lineno - node.lineno + 1 > FUNCTION_LINES
    ]
    assert not long
    assert not [m for m in MODULES if len(m.read_text().splitlines()) > MODULE_LINES]


def test_the_keeper_stays_readable_in_one_sitting():
    """The process that holds the dead-man's lease is under 300 lines in all."""
    lines = sum(len(m.read_text().splitlines()) for m in (SOURCE / "keeper").glob("*.py"))
    assert lines < KEEPER_LINES


def test_imports_stand_at_the_top():
    """No import is hidden in a function, and none is for the type checker alone."""
    hidden = [
        f"{module.relative_to(ROOT)}:{inner.lineno}"
        for module in MODULES
        for node in functions(module)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    ]
    assert not hidden
    assert not [m for m in MODULES if "TYPE_CHECKING" in m.read_text()]


def test_broad_excepts_stand_only_at_the_three_edges():
    """A fault of our own is caught where one service, one request or one command ends."""
    found = {}
    for module in MODULES:
        text = module.read_text()
        count = len(re.findall(r"except (Base)?Exception\b|except:", text))
        if count:
            found[str(module.relative_to(SOURCE))] = count
    assert {name: n for name, n in found.items() if n > BROAD.get(name, 0)} == {}


def test_every_module_says_what_it_is():
    """Each module opens with a sentence, each package with its charter."""
    assert not [
        m for m in MODULES if not ast.get_docstring(tree(m)) and "migrations" not in m.parts
    ]


@pytest.mark.parametrize(
    "word", ["deployed successfully", "blame", "culprit", "guilty", "broke it"]
)
def test_no_sentence_blames(word):
    """What is told is about changes and services, not about people's faults."""
    assert not [m for m in MODULES if word in m.read_text().lower()]


def test_every_test_file_has_a_name_of_its_own():
    """Two of one name cannot be collected together."""
    names = Counter(file.name for file in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []


def test_nothing_names_a_machine_or_a_registry():
    """Neither paths of one machine nor addresses of package indexes are committed."""
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    pattern = re.compile(
        "|".join(
            [
                "pypi" + r"\.org",
                "files\\.python" + "hosted",
                "/ro" + "ot/",
                "/wo" + "rk/",
                "index" + "-url",
            ]
        )
    )
    hits = []
    for name in filter(None, tracked):
        file = ROOT / name
        if file.suffix in {".svg", ".png", ".gz"} or not file.is_file() or name == "Makefile":
            continue
        hits += [
            name for line in file.read_text(errors="replace").splitlines() if pattern.search(line)
        ]
    assert not hits


def test_the_diagram_in_the_docs_is_the_table():
    """The docs cannot lie about the phases."""
    assert diagram() in (ROOT / "docs" / "architecture.md").read_text()


def test_the_changelog_parses():
    """Keep a Changelog: an unreleased section first, then versions with dates."""
    heads = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert heads[0] == "Unreleased"
    assert all(re.fullmatch(r"\d+\.\d+\.\d+ - \d{4}-\d{2}-\d{2}", head) for head in heads[1:])
