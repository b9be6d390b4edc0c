"""The nouns of the command line load when they are used, and look as if they were there all along."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from zunft import commands
from zunft.cli import app
from zunft.nouns import NOUNS, commands_of

HEAVY = {"torch", "ray", "mujoco", "numpy", "fastapi", "sqlalchemy", "pydantic", "httpx", "cryptography"}


def loaded_by(*words: str) -> set[str]:
    """What of our packages, and of the large ones of others, a command has imported when it ends."""
    code = (
        "import sys; from zunft.cli import app\n"
        "try: app(sys.argv[1:])\n"
        "finally: print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code, *words], check=True, capture_output=True, text=True)
    return set(ran.stderr.split()) & (HEAVY | {"skills", "envs", "fleet", "hub"})


@pytest.mark.parametrize("words", [["--help"], ["--version"]])
def test_help_waits_for_nothing_that_commands_need(words: list[str]) -> None:
    assert loaded_by(*words) == {"skills"}


@pytest.mark.parametrize("word", ["demo", "robot", "hub"])
def test_the_help_of_one_command_loads_no_simulator_and_no_server(word: str) -> None:
    assert loaded_by(word, "--help") & {"torch", "ray", "mujoco", "fastapi", "sqlalchemy"} == set()


def test_every_module_with_commands_is_a_noun_and_has_some() -> None:
    folder = Path(commands.__path__[0])
    modules = {path.stem for path in folder.iterdir() if _has_an_app(path)}
    assert modules == NOUNS.keys()
    found = commands_of(typer.main.get_command(app))
    assert found.keys() == {"demo", *NOUNS}
    assert all(commands_of(found[name]) for name in NOUNS)


@pytest.mark.parametrize("noun", NOUNS)
def test_a_noun_says_the_same_in_the_list_and_itself(noun: str) -> None:
    command: Any = commands_of(typer.main.get_command(app))[noun]
    assert command.whole.help == command.help == NOUNS[noun]


def test_completion_knows_nouns_commands_and_options() -> None:
    assert _completed("zunft w") == ["webhook"]
    assert "run" in _completed("zunft robot r")
    assert _completed("zunft robot status --js") == ["--json"]


def test_a_mistyped_noun_is_answered_with_the_right_one() -> None:
    ran = subprocess.run([sys.executable, "-m", "zunft", "robt"], capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "Did you mean 'robot'?" in ran.stderr


def _has_an_app(path: Path) -> bool:
    source = path / "__init__.py" if path.is_dir() else path
    return source.is_file() and "\napp = typer.Typer(" in source.read_text()


def _completed(line: str) -> list[str]:
    words = line.split()
    asked = {"_ZUNFT_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    command = [sys.executable, "-c", "from zunft.cli import app; app(prog_name='zunft')"]
    return subprocess.run(command, env=asked, capture_output=True, text=True, check=True).stdout.split()
