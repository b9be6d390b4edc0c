"""Finds what the console would show untranslated: literals in its source that no catalogue hears of."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

__all__ = ["bare_literals", "bare_literals_of_script", "early_sentences"]

MARKS = frozenset({"_", "later", "several"})
EARLY = MARKS - {"later"}
VISIBLE: dict[str, tuple[int, ...]] = {
    "Act": (0,),
    "Chart": (0,),
    "Choice": (0, 2),
    "Column": (0,),
    "FigureRow": (0,),
    "Search": (0,),
    "Step": (0,),
    "cell": (0,),
    "choice": (0, 2),
    "crumbs": (0, 1, 2),
    "empty": (0, 1),
    "field": (0,),
    "form": (1,),
    "frame": (0,),
    "grid": (0,),
    "label": (0,),
    "button": (0,),
    "link": (0,),
    "notify": (0,),
    "number_cell": (0,),
    "page_title": (0,),
    "section": (0,),
    "show": (1, 2),
    "table": (0, 1),
    "text": (1,),
    "time_cell": (0,),
    "tooltip": (0,),
}
"""Which arguments of what a page is built from are read by people."""
VISIBLE_NAMED = frozenset({"aria_label", "never", "none", "placeholder", "question", "title"})
HIDDEN: dict[str, tuple[int, ...]] = {
    "Chart": (1,),
    "Element": (0, 1),
    "FigureRow": (1,),
    "Moment": (0,),
    "block": (0, 1),
    "cell": (1,),
    "link": (1, 2),
    "number_cell": (1,),
    "section": (1,),
    "show": (0,),
    "text": (0, 2),
    "time_cell": (1,),
}
"""Which are tags and classes of HTML."""
HIDDEN_CALLS = frozenset(
    {
        "Command",
        "PlainTextResponse",
        "TypeVar",
        "UnauthorizedError",
        "add_body_html",
        "cast",
        "classes",
        "compile",
        "get_logger",
        "info",
        "style",
        "warning",
    }
)
"""What people copy, what the log says, what leads to signing in or answers programs, and style."""
HIDDEN_NAMED = frozenset({"classes", "look", "style"})
HIDDEN_NAMES = frozenset({"LANGUAGES", "LINE", "MARK", "PAGES", "SCOPE_KEY", "__all__"})
"""Constants that are markup, addresses or commands."""
WORD = re.compile(r"[^\W\d_]{2}")
SENTENCE = re.compile(r"[^\W\d_]{2}[,.:;]? [^\W\d_]{2}|^[A-Z][a-z]+(?![\w-])")
"""Two words, or one that begins like a heading."""
PLACE = re.compile(r"^{\u2026}\W*")
NO_WORDS = re.compile(r"(zunft|curl) |/|Zunft$|zt_")
"""What is the same in every language: commands, addresses, a name, tokens."""


def bare_literals(path: Path, root: Path) -> list[str]:
    """`file:line: literal`, for each that people would see in English whatever they read."""
    tree = ast.parse(path.read_text())
    found = {(node.lineno, _words(node)) for node in _bare(tree)}
    return [f"{path.relative_to(root)}:{line}: {words}" for line, words in sorted(found)]


def bare_literals_of_script(script: str) -> list[str]:
    """The same for console.js: texts of elements, names for screen readers, templates."""
    shown = r"""(?:element\("\w+", "[\w ]*", |textContent = |ariaLabel: |typing\()([`"'][^`"']*[`"'])"""
    return [words for words in re.findall(shown, script) if WORD.search(re.sub(r"\${[^}]*}", "", words))]


def early_sentences(path: Path, root: Path) -> list[str]:
    """`file:line`, for each sentence that is translated when its module is loaded: nobody looks then."""
    lines = set()
    for node in _at_import(ast.parse(path.read_text())):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in MARKS - {"later"}
        ):
            lines.add(node.lineno)
    return [f"{path.relative_to(root)}:{line}" for line in sorted(lines)]


def _at_import(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield child
            yield from _at_import(child)


def _bare(node: ast.AST, *, visible: bool = False) -> Iterator[ast.expr]:
    """Literals below a node; in a `visible` place any word is one, elsewhere what reads like a sentence."""
    if _is_docstring(node):
        return
    if isinstance(node, (ast.Constant, ast.JoinedStr)):
        words = _words(node)
        if NO_WORDS.match(PLACE.sub("", words)):
            return
        if (WORD if visible else SENTENCE).search(words):
            yield node
            return
    if isinstance(node, ast.Call):
        yield from _bare_in_call(node)
    elif isinstance(node, (ast.Assign, ast.AnnAssign)):
        yield from _bare_in_assignment(node)
    else:
        # What only chooses or joins stands where its parts are read.
        is_passed_on = isinstance(node, (ast.IfExp, ast.BoolOp, ast.Tuple, ast.List, ast.Dict, ast.BinOp))
        for name, value in ast.iter_fields(node):
            is_shown = visible and is_passed_on and name not in {"test", "keys"}
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, ast.AST):
                    yield from _bare(each, visible=is_shown)


def _bare_in_assignment(node: ast.Assign | ast.AnnAssign) -> Iterator[ast.expr]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    named = {each.id for each in targets if isinstance(each, ast.Name)}
    if node.value is not None and not named & HIDDEN_NAMES:
        is_shown = any(isinstance(each, ast.Attribute) and each.attr == "text" for each in targets)
        yield from _bare(node.value, visible=is_shown)


def _bare_in_call(call: ast.Call) -> Iterator[ast.expr]:
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    if name in HIDDEN_CALLS:
        return
    if name in MARKS:
        given: list[ast.expr] = [each.value for each in call.keywords]
        for each in given:
            yield from _bare(each)
        # A sentence with figures in it is no literal: no catalogue has it.
        yield from (each for each in call.args if isinstance(each, ast.JoinedStr))
        return
    yield from _bare(call.func)
    for place, each in enumerate(call.args):
        if place not in HIDDEN.get(name, ()):
            yield from _bare(each, visible=place in VISIBLE.get(name, ()))
    for keyword in call.keywords:
        if keyword.arg not in HIDDEN_NAMED:
            yield from _bare(keyword.value, visible=keyword.arg in VISIBLE_NAMED)


def _words(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(each.value) if isinstance(each, ast.Constant) else "{\u2026}" for each in node.values
        )
    return str(node.value) if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
