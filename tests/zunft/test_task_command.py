"""`zunft task` and `zunft embodiment`; and the tutorial, followed to the letter."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from envs.bundle import digest_folder
from envs.embodiment import ARMS
from skills.errors import ZunftError
from skills.skill import Skill
from tests.envs.bundles import small_bundle
from tests.hub.conftest import ADMIN
from tests.hub.running import running_hub
from zunft.cli import app

TUTORIAL = Path("docs/tutorials/publish-a-task.md")


def run(*words: str) -> str:
    result = CliRunner().invoke(app, [*words], env={"COLUMNS": "160"})
    assert result.exit_code == 0, result.output or result.exception
    return result.output


def findings(*words: str) -> list[str]:
    """Names of the checks that fail."""
    result = CliRunner().invoke(app, [*words, "--json"])
    return [finding["check"] for finding in json.loads(result.output) if not finding["passed"]]


def test_the_template_passes_the_checker_and_is_not_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "stack-bricks"
    run("task", "new", "stack-bricks", "--folder", str(folder))
    assert findings("task", "check", str(folder)) == []
    assert "stack-bricks" in (folder / "README.md").read_text()
    for name, place in (("stack-bricks", folder), ("Stack Bricks", tmp_path / "other")):
        result = CliRunner().invoke(app, ["task", "new", name, "--folder", str(place)])
        assert isinstance(result.exception, ZunftError)


def publish_from_tutorial(folder: Path, data: Path) -> None:
    """The page's last step, at a hub of its own."""
    with running_hub(data) as hub:
        here = ["--hub", hub.address, "--token", ADMIN]
        said = run("task", "publish", str(folder), "--visibility", "guild", *here)
        assert "press-button v1: listed" in said
        (listed,) = json.loads(run("task", "list", "--json", "--hub", hub.address))["items"]
        assert (listed["title"], listed["latest"]) == ("Press a button", 1)
        fetched = data / "own"
        run("task", "fetch", "press-button", "--folder", str(fetched), "--hub", hub.address)
        assert digest_folder(fetched / "press-button") == digest_folder(folder)
        hub.kill()


def test_a_refused_task_ends_the_command_with_its_findings(tmp_path: Path) -> None:
    bundle = str(small_bundle(tmp_path / "Small"))
    with running_hub(tmp_path / "hub") as hub:
        here = ["--hub", hub.address, "--token", ADMIN]
        words = ["task", "publish", bundle, *here]
        started = CliRunner().invoke(app, [*words, "--no-wait", "--json"])
        assert (started.exit_code, json.loads(started.output)["state"]) == (0, "checking")
        result = CliRunner().invoke(app, words, env={"COLUMNS": "160"})
        assert result.exit_code == 1
        assert "small v1: refused" in result.output
        assert "asks for skill" in result.output
        refused = CliRunner().invoke(app, ["task", "fetch", "small", "--folder", str(tmp_path), *here[:2]])
        assert isinstance(refused.exception, ZunftError)
        hub.kill()


def written_from_tutorial(folder: Path) -> Path:
    run("task", "new", "press-button", "--folder", str(folder))
    text = TUTORIAL.read_text()
    written = re.findall(r"`press-button/([a-z.]+)`:.*?```(?:xml|toml)\n(.*?)```", text, re.DOTALL)
    assert [name for name, _ in written] == ["scene.xml", "tool.xml", "task.toml"]
    for name, content in written:
        (folder / name).write_text(content)
    return folder


def test_the_tutorial_s_python_steps_the_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (lines,) = re.findall(r"```python\n(.*?)```", TUTORIAL.read_text(), re.DOTALL)
    written_from_tutorial(tmp_path / "press-button")
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    exec(lines, {})  # noqa: S102 - the page's own lines
    said = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"2\.0 s: -[5-9]\.\d mm, \d\d?\.\d N, reward 0\.9\d", said[3])
    assert said[4] == "[ True  True  True  True]"


def test_a_task_written_from_the_tutorial_passes_is_seen_and_learned(tmp_path: Path) -> None:
    folder = written_from_tutorial(tmp_path / "press-button")
    assert findings("task", "check", str(folder)) == []
    publish_from_tutorial(folder, tmp_path / "hub")
    assert "done" in run("task", "view", str(folder), "-o", str(tmp_path / "seen.png"))
    result, curve, skill = (tmp_path / name for name in ("result.json", "curve.png", "press.skill"))
    files = ["--json", str(result), "--curve", str(curve), "-o", str(skill)]
    said = run("task", "try", str(folder), "--iterations", "4", "--episodes", "4", *files)
    assert "push" in said
    found = json.loads(result.read_text())
    returns = [point["mean_return"] for point in found["curve"] if point["mean_return"] is not None]
    assert returns[-1] > returns[0]
    assert found["held_out"]["push"]["score"] > 0.8
    for picture in (tmp_path / "seen.png", curve):
        assert picture.read_bytes().startswith(b"\x89PNG")
    assert Skill.load(skill).manifest.task == "press-button"
    with running_hub(tmp_path / "empty") as hub:
        assert "press-button v1" in run(
            "skill", "publish", str(skill), "--hub", hub.address, "--token", ADMIN
        )
        hub.kill()
    assert run("task", "view", str(folder), "-o", str(tmp_path / "b.png"), "--skill", str(skill))


def test_what_is_wrong_ends_with_1_and_a_remedy(tmp_path: Path) -> None:
    folder = tmp_path / "bad"
    run("task", "new", "bad", "--folder", str(folder))
    path = folder / "task.toml"
    path.write_text(path.read_text().replace('of = "position", gain = -5.0', 'of = "position", gain = 5.0'))
    result = CliRunner().invoke(app, ["task", "check", str(folder)])
    assert result.exit_code == 1
    assert "✗ solvable on ur5e: p succeeds in 0%" in result.output
    assert "Improve the controller" in result.output
    path.write_text(path.read_text().replace("scale = 0.15", "scale = -1"))
    broken = CliRunner().invoke(app, ["task", "check", str(folder)])
    assert isinstance(broken.exception, ZunftError)
    assert re.search(r"task\.toml:\d+: action\.0\.scale", str(broken.exception))


def test_tasks_and_robots_are_listed() -> None:
    assert "iron-cloth" in run("task", "list")
    listed = run("embodiment", "list")
    assert "Franka Emika Panda" in listed
    assert "quadrotor" in listed


def test_a_robot_is_imported_and_checked(tmp_path: Path) -> None:
    target = tmp_path / "mine.xml"
    home = "-0.28291 -1.60845 1.88677 -1.84913 -1.5708 0.3"
    words = ["--tool", "torch", "--home", home, "--product", "Mine", "--reach", "0.16", "-o", str(target)]
    run("embodiment", "import", str(ARMS / "ur5e.xml"), *words)
    assert findings("embodiment", "check", str(target)) == []
    target.write_text(target.read_text().replace('gravcomp="1"', ""))
    assert "gravity" in findings("embodiment", "check", str(target))
    bad = CliRunner().invoke(
        app, ["embodiment", "import", str(ARMS / "ur5e.xml"), *words[:2], "--home", "a b"]
    )
    assert bad.exit_code != 0


def test_a_folder_is_checked_within_limits_and_the_package_s_own_tasks_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "press-button"
    CliRunner().invoke(app, ["task", "new", "press-button", "--folder", str(folder)])
    monkeypatch.setenv("ZUNFT_CHECK_CPU_SECONDS", "1")
    result = CliRunner().invoke(app, ["task", "check", str(folder)])
    assert result.exit_code == 1
    assert "ZUNFT_CHECK_CPU_SECONDS" in result.output
    assert findings("task", "check", "hover-inspect") == []


@pytest.mark.parametrize("command", ["check", "view", "try"])
def test_an_unknown_task_is_named(command: str, tmp_path: Path) -> None:
    extra = ["-o", str(tmp_path / "x.png")] if command == "view" else []
    result = CliRunner().invoke(app, ["task", command, "make-coffee", *extra])
    assert isinstance(result.exception, ZunftError)
    assert "iron-cloth" in str(result.exception)
