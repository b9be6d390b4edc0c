"""Docstrings, comments and pages name modules and what is in them: every such name leads somewhere."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("skills", "envs", "fleet", "hub", "zunft")
FOLDERS = (*PACKAGES, "tests", "tools", "benchmarks")
MODULES = tuple(folder for folder in FOLDERS if folder != "zunft")
"""In `zunft.` begin the names of entry points and of webhooks' messages, too."""

NAME = re.compile(rf"`((?:{'|'.join(MODULES)})(?:\.[A-Za-z_]\w*)+)(?:\(\))?`")
FILE = re.compile(rf"(?<![\w./-])((?:{'|'.join(FOLDERS)})/[\w/.-]+\.(?:py|xml|toml|css|js))(?![\w/])")
SOURCES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
HISTORY = {"CHANGELOG.md"}
"""Pages that tell of what was; decisions, in docs/adr, do so, too."""


def docstrings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            yield node.value.value


@cache
def defined(module: Path) -> dict[str, set[str]]:
    """What a module defines at its top level or imports, and what each of its classes defines."""
    found: dict[str, set[str]] = {}
    for node in ast.parse(module.read_text()).body:
        if isinstance(node, ast.ClassDef):
            found[node.name] = set(_members(node))
        for name in _names(node):
            found.setdefault(name, set())
    return found


def _members(node: ast.ClassDef) -> Iterator[str]:
    for child in node.body:
        yield from _names(child)


def _names(node: ast.stmt) -> Iterator[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name
        case ast.Assign(targets=targets):
            yield from (target.id for target in targets if isinstance(target, ast.Name))
        case ast.ImportFrom(names=aliases) | ast.Import(names=aliases):
            yield from (alias.asname or alias.name for alias in aliases)


def leads_somewhere(name: str) -> bool:
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        base, rest = ROOT.joinpath(*parts[:length]), parts[length:]
        module = base.with_suffix(".py") if base.with_suffix(".py").exists() else base / "__init__.py"
        if not module.exists():
            continue
        if not rest:
            return True
        return rest[0] in defined(module) and (len(rest) == 1 or rest[1] in defined(module)[rest[0]])
    return False


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_docstring_names_is_there(path: Path) -> None:
    texts = list(docstrings(path))
    lost = {name for text in texts for name in NAME.findall(text) if not leads_somewhere(name)}
    lost |= {name for text in texts for name in FILE.findall(text) if not (ROOT / name).exists()}
    assert not lost


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_page_names_is_there(path: Path) -> None:
    if path.name in HISTORY or "adr" in path.parts:
        return
    text = path.read_text()
    lost = {name for name in NAME.findall(text) if not leads_somewhere(name)}
    lost |= {name for name in FILE.findall(text) if not (ROOT / name).exists()}
    assert not lost


def test_a_name_that_leads_nowhere_is_found() -> None:
    assert leads_somewhere("skills.skill.Skill.load")
    assert not leads_somewhere("skills.skill.Skill.lode")
    assert not leads_somewhere("skills.scill")
