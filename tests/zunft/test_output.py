"""What commands print: a table that cuts nothing at 80 columns, a document wherever something is shown."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from fleet.client import OperatorClient
from hub.settings import Settings
from skills.messages.organisations import OrganisationRequest
from skills.messages.tasks import FindingView
from tests.hub.conftest import ADMIN, Hall, Hands, StubGate, ok, tiny_skill
from tests.hub.serving import serving
from tools.make_docs import leaf_commands
from zunft.cli import app
from zunft.commands.output import finding_line, table

LONG_SKILL = "q" * 60
LONG_OWNER = "Q" * 60
HEAVY = (
    "torch",
    "ray",
    "mujoco",
    "nicegui",
    "fastapi",
    "sqlalchemy",
    "numba",
    "matplotlib",
    "gymnasium",
    "scipy",
)


@pytest.mark.parametrize("path", sorted(leaf_commands()))
def test_every_command_has_a_document_for_scripts(path: str) -> None:
    options = [name for parameter in leaf_commands()[path].params for name in parameter.opts]
    assert "--json" in options


@pytest.mark.parametrize("words", [["--help"], ["skill", "--help"], ["task", "try", "--help"]])
def test_help_waits_for_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys; from zunft.__main__ import main\n"
        f"sys.argv = ['zunft', *{words!r}]\n"
        "try:\n    main()\nexcept SystemExit:\n"
        f"    print(sorted({HEAVY!r} & sys.modules.keys()), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def printed(columns: list[str], rows: list[list[str]], keys: int) -> list[str]:
    console = Console(width=80, color_system=None)
    with console.capture() as capture:
        console.print(table(columns, rows, keys=keys))
    return capture.get().splitlines()


@pytest.mark.parametrize("keys", [1, 2, 3])
def test_a_table_fits_and_cuts_nothing_however_long_its_cells(
    keys: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zunft.commands.output.out", Console(width=80))
    letters = "qzxjkw"
    lines = printed(["a"] * 6, [[letter * 71 for letter in letters]], keys)
    assert max(map(len, lines)) <= 80
    text = "".join(lines)
    assert {letter: text.count(letter) for letter in letters} == dict.fromkeys(letters, 71)


def test_what_identifies_a_row_stays_on_one_line_while_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zunft.commands.output.out", Console(width=80))
    lines = printed(["robot", "says"], [["r-4f1c20b7d9e8", "word " * 60]], 1)
    assert max(map(len, lines)) <= 80
    assert any("r-4f1c20b7d9e8" in line for line in lines)


def test_what_others_wrote_is_no_markup() -> None:
    assert "[red]x[/]" in "".join(printed(["name"], [["[red]x[/]"]], 1))


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One whose names are as long as names may be."""
    folder = tmp_path_factory.mktemp("hub")
    settings = {"data_dir": folder, "admin_token": ADMIN, "console": False}
    hall = Hall(Settings.model_validate(settings), StubGate(), Hands())
    ok(hall.publish(tiny_skill(name=LONG_SKILL)))
    hall.release(name=LONG_SKILL)
    with serving(hall.app) as address:
        operator = OperatorClient.open(address, ADMIN)
        operator.create_organisation(OrganisationRequest(name=LONG_OWNER))
        yield address


def shown(hub: str, *words: str) -> str:
    options = ["--hub", hub, "--token", ADMIN]
    result = CliRunner().invoke(app, [*words, *options], env={"COLUMNS": "80"})
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


@pytest.mark.parametrize(
    ("words", "letter", "count"),
    [
        (("skill", "list"), "q", 60),
        (("organisation", "list"), "Q", 60),
        (("organisation", "show", LONG_OWNER), "Q", 60),
        (("fleet", "overview"), "!", 0),
    ],
)
def test_lists_fit_80_columns_with_their_names_whole(
    words: tuple[str, ...], letter: str, count: int, hub: str
) -> None:
    text = shown(hub, *words)
    assert max(map(len, text.splitlines())) <= 80
    assert text.count(letter) == count


@pytest.mark.parametrize(
    "words",
    [
        "skill list",
        f"skill versions {LONG_SKILL}",
        f"skill show {LONG_SKILL}@1",
        f"skill fits {LONG_SKILL}",
        "task list",
        "task leaderboard reach",
        "robot list",
        "campaign list",
        "user list",
        "user token list",
        "organisation list",
        "webhook list",
        "fleet overview",
    ],
)
def test_views_are_one_document(words: str, hub: str) -> None:
    document: Any = json.loads(shown(hub, *words.split(), "--json"))
    assert isinstance(document, list | dict)


def test_local_views_are_one_document(tmp_path: Path) -> None:
    for words in (
        ["task", "list"],
        ["embodiment", "list"],
        ["task", "new", "x", "--folder", str(tmp_path / "x")],
    ):
        result = CliRunner().invoke(app, [*words, "--json"])
        assert result.exit_code == 0, result.exception
        assert json.loads(result.stdout)


def test_findings_are_marked_as_passed_advised_or_failed() -> None:
    marks = [
        finding_line(FindingView(check="figures", passed=passed, text="colour", remedy=remedy))
        for passed, remedy in ((True, ""), (True, "Leave it out."), (False, "Mend it."))
    ]
    assert marks == [
        "[green]✓[/] figures: colour",
        "[yellow]![/] figures: colour Leave it out.",
        "[red]✗[/] figures: colour Mend it.",
    ]
