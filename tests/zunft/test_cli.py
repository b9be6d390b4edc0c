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


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("skill release weld-seam 0 --token x", "version: Input should be greater than or equal to 1."),
        ("skill minimum weld-seam 1.5 --token x", "minimum: Input should be less than or equal to 1."),
    ],
)
def test_what_no_hub_would_take_is_one_line(line: str, text: str) -> None:
    result = run(*line.split(), "--hub", "http://127.0.0.1:9")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"error {text} See --help.\n"


@pytest.mark.parametrize(
    ("line", "variable", "value", "where", "text"),
    [
        ("hub run", "ZUNFT_PORT", "eighty", "ZUNFT_PORT: ", "unable to parse"),
        ("hub run --port 70000", "ZUNFT_PORT", "80", "--port: ", "less than or equal to 65535"),
        ("hub backup /nowhere", "ZUNFT_WORKERS", "0", "ZUNFT_WORKERS: ", "greater than or equal to 1"),
        (
            "hub restore /nowhere/x.tar",
            "ZUNFT_ADMIN_TOKEN",
            "short",
            "ZUNFT_ADMIN_TOKEN: ",
            "a token has 16 characters",
        ),
        ("hub new-key", "ZUNFT_REGIONS", "eu", "ZUNFT_REGIONS: ", "no JSON"),
        ("audit show", "ZUNFT_LOG_LEVEL", "LOUD", "ZUNFT_LOG_LEVEL: ", "should match"),
        (
            "merge rebuild weld-seam@2",
            "ZUNFT_OIDC_ISSUER",
            "https://a.example",
            "ZUNFT_...: ",
            "needs oidc_client_id",
        ),
        ("robot status", "ZUNFT_ROBOT_TOLERANCE", "seven", "ZUNFT_ROBOT_TOLERANCE: ", "unable to parse"),
    ],
)
def test_a_setting_that_cannot_be_is_one_line_that_names_it(
    line: str,
    variable: str,
    value: str,
    where: str,
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv(variable, value)
    result = run(*line.split(), cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith(f"error {where}")
    assert text in result.stderr
    assert result.stderr.endswith("docs/settings.md says what it may be.\n")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_hides_our_package_is_named(tmp_path: Path) -> None:
    (tmp_path / "envs").mkdir()
    (tmp_path / "envs" / "__init__.py").write_text("")
    result = run("skill", "list", cwd=tmp_path)
    assert result.returncode != 0
    assert str(tmp_path / "envs") in result.stderr


def test_plain_http_is_refused_without_a_word_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZUNFT_INSECURE", raising=False)
    monkeypatch.setenv("ZUNFT_TOKEN", "zt_x")
    order = ["skill", "list", "--hub", "http://nowhere.invalid"]
    assert getattr(RUNNER.invoke(app, order).exception, "code", "") == "insecure_line"
    allowed = RUNNER.invoke(app, ["--insecure", *order])
    monkeypatch.delenv("ZUNFT_INSECURE")
    assert getattr(allowed.exception, "code", "") == "hub_unreachable"


def test_versions_are_printed_for_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["zunft", "--version", "--json"])
    found = json.loads(RUNNER.invoke(app, ["--version", "--json"]).output)
    assert found["zunft"] == "0.1.0"
    assert {"python", "cryptography", "torch", "uvicorn"} <= found.keys()


def test_the_version_is_printed() -> None:
    assert RUNNER.invoke(app, ["--version"]).output.strip() == "0.1.0"
