"""The command line: help with examples everywhere, one clear line for errors, files without a hub."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from skills.skill import Skill
from tools.make_docs import leaf_commands
from zunft.cli import app

RUNNER = CliRunner()


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "zunft", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


@pytest.mark.parametrize("path", sorted(leaf_commands()))
def test_every_command_explains_itself_with_an_example(path: str) -> None:
    result = RUNNER.invoke(app, [*path.split()[1:], "--help"])
    assert result.exit_code == 0
    assert "Example" in result.output


def test_a_new_skill_is_a_file_that_can_be_shown(tmp_path: Path) -> None:
    file = tmp_path / "weld-seam.skill"
    assert RUNNER.invoke(app, ["skill", "new", "weld-seam", "-o", str(file), "--seed", "3"]).exit_code == 0
    shown = RUNNER.invoke(app, ["skill", "show", str(file), "--json"])
    assert json.loads(shown.output)["name"] == "weld-seam"
    assert Skill.load(file).manifest.version == 1
    again = tmp_path / "again.skill"
    RUNNER.invoke(app, ["skill", "new", "weld-seam", "-o", str(again), "--seed", "3"])
    assert again.read_bytes() == file.read_bytes()


def test_errors_are_one_line_with_a_remedy_and_status_1(tmp_path: Path) -> None:
    result = run("skill", "new", "no-such-task", "-o", str(tmp_path / "x.skill"))
    assert result.returncode == 1
    assert result.stderr.startswith("error task: no task bundle 'no-such-task'.")
    assert "weld-seam" in result.stderr
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_hub_that_is_not_there_is_an_error_and_no_traceback() -> None:
    result = run("skill", "list", "--hub", "http://127.0.0.1:9")
    assert (result.returncode, result.stdout) == (1, "")
    assert "the hub did not answer" in result.stderr


def test_a_folder_that_hides_our_package_is_named(tmp_path: Path) -> None:
    (tmp_path / "envs").mkdir()
    (tmp_path / "envs" / "__init__.py").write_text("")
    result = run("skill", "list", cwd=tmp_path)
    assert result.returncode != 0
    assert str(tmp_path / "envs") in result.stderr


def test_the_version_is_printed() -> None:
    assert RUNNER.invoke(app, ["--version"]).output.strip() == "0.1.0"
