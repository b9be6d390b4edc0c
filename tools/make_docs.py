"""Write the pages that repeat what the code knows: settings, commands, endpoints, the list of files.

`python -m tools.make_docs` writes them; a test compares them with the code, so they cannot lie.
"""

from __future__ import annotations

import ast
import json
import os
import re
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

import typer
from pydantic_settings import BaseSettings

from benchmarks.rollout_report import LOOKS, RESULT, looks, summary
from benchmarks.scale.report import page as scale_page
from fleet.settings import RobotSettings
from hub.access.principal import Principal, Viewer
from hub.access.visibility import VISIBILITIES, may_change, may_see
from hub.api.permissions import ANONYMOUS, CALLERS, Door, doors_of
from hub.app import create_app
from hub.merging.rules import RULES
from hub.rollouts.states import TRANSITIONS as ROLLOUTS
from hub.rounds.states import TRANSITIONS
from hub.settings import Settings
from skills.messages.rollouts import ENDED
from skills.messages.rounds import FINAL
from tools.learning_docs import learning_page
from tools.task_docs import TASK_PAGES
from zunft.cli import app as cli
from zunft.nouns import commands_of

__all__ = ["PAGES", "VIEWERS", "leaf_commands", "render"]

DOCS = Path(__file__).resolve().parent.parent / "docs"
RESULTS = DOCS.parent / "benchmarks" / "results"
PACKAGES = ("skills", "envs", "fleet", "hub", "zunft")
WINGS_BEGIN = "<!-- wings: made by `python -m tools.make_docs` from the contract in pyproject.toml -->"
WINGS_END = "<!-- /wings -->"
RULES_BEGIN = "<!-- rules: made by `python -m tools.make_docs` from each rule's card -->"
RULES_END = "<!-- /rules -->"
SIGHT_BEGIN = "<!-- sight: made by `python -m tools.make_docs` from hub/access/visibility.py -->"
SIGHT_END = "<!-- /sight -->"
DOORS_BEGIN = "<!-- doors: made by `python -m tools.make_docs` from the routes' dependencies -->"
DOORS_END = "<!-- /doors -->"
ROLLOUTS_BEGIN = (
    "<!-- rollouts: made by `python -m tools.make_docs` from the table in hub/rollouts/states.py -->"
)
ROLLOUTS_END = "<!-- /rollouts -->"
OUTCOMES_BEGIN = "<!-- outcomes: made by `python -m tools.make_docs` from benchmarks/results/rollout.json -->"
OUTCOMES_END = "<!-- /outcomes -->"
STATES_BEGIN = "<!-- states: made by `python -m tools.make_docs` from the table in hub/rounds/states.py -->"
STATES_END = "<!-- /states -->"
LOAD_BEGIN = "<!-- load: made by `python -m tools.make_docs` from its results -->"
LOAD_END = "<!-- /load -->"
TRANSFERS_BEGIN = "<!-- transfers: made by `python -m tools.make_docs` from its results -->"
TRANSFERS_END = "<!-- /transfers -->"
ORIGIN = "<!-- Made by `python -m tools.make_docs`; change the code, not this page. -->"

FOR_SCRIPTS = """\
Each command has `--json`. What it shows or did is then one JSON document on standard output; commands that
run until they are stopped print one a line. What goes wrong is one document on standard error, in the shape
that the hub's errors have, and nothing is on standard output unless it was found out before:

```json
{"error": {"code": "not_found", "message": "no version 7.", "where": "weld-seam", "remedy": "..."}}
```

The exit status is the same with and without it: 0; 1 where something was refused, differs or did not pass;
2 where the options cannot be (`usage`). `file` is a file that cannot be read or written. `zunft demo` and
`zunft task try` show how they fare while they run, so that `--json FILE` writes the document into a file."""

OWN_FOLDERS = """\
| variable | default | what it does |
|---|---|---|
| `ZUNFT_TASKS` |  | Folder of one's own tasks, one folder a bundle; the package's names stay its own. |
| `ZUNFT_EMBODIMENTS` |  | Folder of one's own robots, see [embodiments.md](embodiments.md). |"""


def settings_page() -> str:
    """Every environment variable that the hub and a robot read."""
    parts = [
        "# Settings",
        ORIGIN,
        "Each is an environment variable. The command line's options come before it.",
        "## Hub",
        _settings_table(Settings),
        "## Robot and simulated fleet",
        _settings_table(RobotSettings),
        "## Hub and robot",
        OWN_FOLDERS,
    ]
    return "\n\n".join(parts) + "\n"


def commands_page() -> str:
    """Every command with its options."""
    lines = ["# Commands", ORIGIN, "`zunft COMMAND --help` says the same, with examples.", FOR_SCRIPTS]
    lines += [_command_text(path, command) for path, command in leaf_commands().items()]
    return "\n\n".join(lines) + "\n"


def endpoints_page() -> str:
    """Every HTTP endpoint of the hub."""
    with tempfile.TemporaryDirectory() as folder:
        schema = create_app(Settings(data_dir=Path(folder), console=False)).openapi()
    rows = ["| endpoint | what it does | answers |", "|---|---|---|"]
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            answers = ", ".join(operation["responses"])
            rows.append(f"| `{method.upper()} {path}` | {operation['summary']} | {answers} |")
    intro = "The hub serves its OpenAPI with examples at `/docs`. Every error has the shape of `ErrorBody`."
    return "\n\n".join(["# Endpoints", ORIGIN, intro, "\n".join(rows)]) + "\n"


def architecture_page() -> str:
    """The page as it stands, with its table of wings made anew."""
    return _with_block(_standing("architecture.md"), WINGS_BEGIN, _wings_table(), WINGS_END)


def _wings_table() -> str:
    contracts = tomllib.loads((DOCS.parent / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
    (layers,) = (each["layers"] for each in contracts if each.get("containers") == ["hub"])
    rows = ["| wing | what is in it |", "|---|---|"]
    for layer in layers:
        for name in re.split(r" [|:] ", layer):
            folder = DOCS.parent / "hub" / name
            path = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
            shown = f"`{name}/`" if folder.is_dir() else f"`{name}.py`"
            rows.append(f"| {shown}{' ‖' if '|' in layer else ''} | {_first_line(path)} |")
    return "\n".join(rows)


def files_page() -> str:
    """A line for every file."""
    intro = "The first line of each module. How they hang together: [architecture.md](architecture.md)."
    return "\n\n".join(["# Files", ORIGIN, intro, *map(_files_table, PACKAGES)]) + "\n"


def merging_page() -> str:
    """The page as it stands, with its table of rules made anew."""
    return _with_block(_standing("merging.md"), RULES_BEGIN, _rules_table(), RULES_END)


def operations_page() -> str:
    """The page as it stands, with what the benchmarks of load and of transfers printed last."""
    load = "```" + (RESULTS / "hub.md").read_text().split("```")[1] + "```"
    transfers = "Skill: " + (RESULTS / "transfer.md").read_text().partition("Skill: ")[2].strip()
    page = _with_block(_standing("operations.md"), LOAD_BEGIN, load, LOAD_END)
    return _with_block(page, TRANSFERS_BEGIN, transfers, TRANSFERS_END)


def rounds_page() -> str:
    """The page as it stands, with its diagram made anew."""
    return _with_block(_standing("rounds.md"), STATES_BEGIN, _states_diagram(), STATES_END)


def rollouts_page() -> str:
    """The page as it stands, with its diagram and the outcome of the large run."""
    page = _with_block(_standing("rollouts.md"), ROLLOUTS_BEGIN, _rollouts_diagram(), ROLLOUTS_END)
    text = summary(json.loads(RESULT.read_text())) if RESULT.exists() else "Not recorded yet: `make rollout`."
    if LOOKS.exists():
        text += "\n\n" + looks(json.loads(LOOKS.read_text()))
    return _with_block(page, OUTCOMES_BEGIN, text, OUTCOMES_END)


def _standing(name: str) -> str:
    return (DOCS / name).read_text()


def _with_block(page: str, begin: str, text: str, end: str) -> str:
    """The page with what stands between two marks replaced."""
    before, rest = page.split(begin)
    return "\n\n".join([before + begin, text, end + rest.split(end)[1]])


def _states_diagram() -> str:
    return _diagram(TRANSITIONS, "open", sorted(FINAL))


def _rollouts_diagram() -> str:
    return _diagram(ROLLOUTS, "measuring", sorted(ENDED))


def _diagram(transitions: Mapping[Any, str], first: str, last: Iterable[str]) -> str:
    events: dict[tuple[str, str], list[str]] = {}
    for (state, event), following in transitions.items():
        events.setdefault((state, following), []).append(event)
    lines = [f"    {state} --> {following}: {', '.join(why)}" for (state, following), why in events.items()]
    ends = [f"    {state} --> [*]" for state in last]
    return "\n".join(["```mermaid", "stateDiagram-v2", f"    [*] --> {first}", *lines, *ends, "```"])


def security_page() -> str:
    """The page as it stands, with its tables of who sees what, and of endpoints and roles, made anew."""
    page = _with_block(_standing("security.md"), SIGHT_BEGIN, _sight_table(), SIGHT_END)
    return _with_block(page, DOORS_BEGIN, _doors_table(), DOORS_END)


VIEWERS: dict[str, tuple[Viewer, bool]] = {
    "anonymous": (None, False),
    "robot, own": (Principal("r-1", "robot", "ours"), False),
    "robot, other": (Principal("r-2", "robot", "theirs"), False),
    "researcher, own, who published": (Principal("ada", "researcher", "ours"), True),
    "researcher, own": (Principal("bo", "researcher", "ours"), False),
    "researcher, other": (Principal("cleo", "researcher", "theirs"), False),
    "operator, own": (Principal("dora", "operator", "ours"), False),
    "operator, other": (Principal("eva", "operator", "theirs"), False),
    "admin": (Principal("admin", "admin", "theirs"), False),
}
"""Everybody who may look at a thing of `ours`, and whether it was published by that one."""


def _sight_table() -> str:
    visibilities = " | ".join(f"{visibility} thing" for visibility in VISIBILITIES)
    rows = [f"| whoever looks | {visibilities} | changes it, if the role may |", "|---|---|---|---|---|"]
    for name, (viewer, published) in VIEWERS.items():
        publishers = {viewer.actor} if viewer and published else set()
        sees = [may_see(viewer, "ours", visibility, publishers) for visibility in VISIBILITIES]
        changes = viewer is not None and may_change(viewer, "ours")
        rows.append(f"| {name} | {' | '.join('yes' if may else '-' for may in (*sees, changes))} |")
    return "\n".join(rows)


def _doors_table() -> str:
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(Settings(data_dir=Path(folder), console=False))
    head = ("endpoint", "scope", "unseen", "other's", *CALLERS)
    rows = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    both = zip(doors_of(app, public_catalogue=True), doors_of(app, public_catalogue=False), strict=True)
    for public, closed in both:
        cells = [public.scope or "-", public.unseen or "-", public.others or "-"]
        cells += [_door_text(caller, public, closed) for caller in CALLERS]
        rows.append(f"| `{public.method} {public.path}` | {' | '.join(cells)} |")
    return "\n".join(rows)


def _door_text(caller: str, public: Door, closed: Door) -> str:
    if caller in closed.open_to:
        return "yes"
    if caller in public.open_to:
        return "if public"
    return "401" if caller == ANONYMOUS else "403"


def _rules_table() -> str:
    rows = [
        "| rule | options | formula | source | reads | work a weight | survives | heeds weights |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, rule in RULES.items():
        card = rule.card
        options = ", ".join(_option_text(field) for field in fields(rule)) or "-"
        cells = [
            f"`{name}`",
            options,
            card.formula.replace("|", "\\|"),
            card.source,
            str(card.reads),
            card.cost,
        ]
        cells += [card.survives, "yes" if card.weights else "no"]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _option_text(field: Field[Any]) -> str:
    return f"`{field.name}`" if field.default is MISSING else f"`{field.name}={field.default}`"


PAGES: dict[str, Callable[[], str]] = {
    "architecture.md": architecture_page,
    "commands.md": commands_page,
    "endpoints.md": endpoints_page,
    "files.md": files_page,
    "learning.md": learning_page,
    "merging.md": merging_page,
    "operations.md": operations_page,
    "rollouts.md": rollouts_page,
    "rounds.md": rounds_page,
    "scale.md": scale_page,
    "security.md": security_page,
    "settings.md": settings_page,
    **TASK_PAGES,
}


def render(name: str) -> str:
    """The page as it should be; independent of the reader's own environment and terminal."""
    ours = {key: os.environ.pop(key) for key in list(os.environ) if key.startswith("ZUNFT_")}
    try:
        return PAGES[name]()
    finally:
        os.environ.update(ours)


def _files_table(package: str) -> str:
    root = DOCS.parent
    files = sorted(path for path in (root / package).rglob("*.py") if "versions" not in path.parts)
    rows = [f"| `{path.relative_to(root)}` | {_first_line(path)} |" for path in files if _first_line(path)]
    return "\n".join([f"| {package} | |", "|---|---|", *rows])


def _first_line(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
    return docstring.partition("\n\n")[0].replace("\n", " ").replace("|", "\\|")


def _settings_table(settings: type[BaseSettings]) -> str:
    prefix = settings.model_config.get("env_prefix", "")
    rows = ["| variable | default | what it does |", "|---|---|---|"]
    for name, field in settings.model_fields.items():
        default = field.get_default(call_default_factory=True, validated_data={})
        shown = "" if "Secret" in type(default).__name__ else str(default)
        rows.append(
            f"| `{prefix.upper()}{name.upper()}` | {f'`{shown}`' if shown else ''} | {field.description} |"
        )
    return "\n".join(rows)


def leaf_commands() -> dict[str, Any]:
    """Every command that does something, by the words that call it."""
    return dict(_commands("zunft", typer.main.get_command(cli)))


def _commands(path: str, command: Any) -> list[tuple[str, Any]]:
    below = commands_of(command)
    if not below:
        return [(path, command)]
    return [leaf for name, child in below.items() for leaf in _commands(f"{path} {name}", child)]


def _command_text(path: str, command: Any) -> str:
    lines = [f"## `{path}`", (command.help or "").strip()]
    rows = [_option_row(parameter) for parameter in command.params if parameter.name != "help"]
    if rows:
        lines.append("\n".join(["| option | default | meaning |", "|---|---|---|", *rows]))
    return "\n\n".join(lines)


def _option_row(parameter: Any) -> str:
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    if parameter.param_type_name == "argument":
        names = f"`{parameter.name.upper()}`"
    default = "" if parameter.default in {None, ""} or parameter.required else f"`{parameter.default}`"
    meaning = (getattr(parameter, "help", None) or "").replace("|", "\\|")
    return f"| {names} | {default} | {meaning} |"


def main() -> None:
    """Write all pages."""
    for name in PAGES:
        (DOCS / name).write_text(render(name))


if __name__ == "__main__":
    main()
