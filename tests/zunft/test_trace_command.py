"""`zunft task trace`: what the checker names as remedy shows what was missed, as a table and as a picture."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from skills.errors import ZunftError
from tests.envs.bundles import SMALL, small_bundle
from zunft.cli import app

ASTRAY = SMALL.replace("gain = -4.0", "gain = 4.0").replace(
    "[quantities.high]", "offset = { nominal = [0.0, 0.0, -0.05] }\n\n[quantities.high]"
)


def run(*words: str) -> str:
    result = CliRunner().invoke(app, ["task", *words], env={"COLUMNS": "160"})
    assert result.exit_code == 0, result.output or result.exception
    return result.output


def traced(*words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("trace", *words, "--json"))
    return found


def test_the_checker_s_remedy_shows_which_condition_was_missed(tmp_path: Path) -> None:
    bundle = str(small_bundle(tmp_path / "Astray", toml=ASTRAY))
    checked = CliRunner().invoke(app, ["task", "check", bundle, "--json"])
    assert checked.exit_code == 1
    failed = [each for each in json.loads(checked.output) if each["check"] == "solvable on panda"]
    words = re.search(r"zunft task (trace BUNDLE .*) -o trace\.png", failed[0]["remedy"])
    assert words is not None
    picture = tmp_path / "trace.png"
    command = [bundle if word == "BUNDLE" else word for word in words[1].split()]
    said = run(*command, "-o", str(picture))
    assert re.search(r"in the steps: `high` below 0\.01 +│ never +│ 0% +│ 0\.\d+ +│ missed", said)
    assert "0 of 16 such episodes are done." in said
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_scripts_get_all_of_it(tmp_path: Path) -> None:
    bundle = str(small_bundle(tmp_path / "Small"))
    words = ["--embodiment", "panda", "--held-out", "--episode", "3", "--quantity", "tool.tilt"]
    found = traced(bundle, *words)
    assert (found["player"], found["workshop"]["name"]) == ("p", "held-out-panda-1")
    assert found["trace"]["episode"] == 3
    assert set(found["trace"]["quantities"]) == {"high", "tool.tilt"}
    assert len(found["trace"]["actions"]) == 3
    assert found == traced(bundle, *words)
    assert found["trace"] != traced(bundle, *words, "--seed", "1")["trace"]


def test_who_is_told_is_marked_as_such() -> None:
    words = ["swing-load", "--embodiment", "panda"]
    assert traced(*words)["player"] == "adaptive"
    assert traced(*words, "--controller", "oracle")["player"] == "oracle (told)"


def test_a_skill_a_workshop_s_file_and_a_task_without_a_controller(tmp_path: Path) -> None:
    bundle = str(small_bundle(tmp_path / "Small", toml=SMALL.partition("[scripted.p]")[0]))
    assert traced(bundle)["player"] == "doing nothing"
    skill, shop = tmp_path / "small.skill", tmp_path / "mine.toml"
    CliRunner().invoke(app, ["skill", "new", bundle, "-o", str(skill)])
    shop.write_text('name = "mine"\ntask = "small"\nembodiment = "panda"\nfigures = { delay = 1 }\n')
    found = traced(bundle, "--skill", str(skill), "--workshop", str(shop))
    assert (found["player"], found["workshop"]["figures"]) == ("small.skill", {"delay": 1.0})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--controller", "q"], "no controller 'q'"),
        (["--controller", "p", "--skill", "small.skill"], "two cannot act"),
        (["--workshop", "mine", "--held-out"], "which robot"),
        (["--episode", "16"], "no episode 16"),
        (["--quantity", "speed"], "no quantity 'speed'"),
        (["--embodiment", "quadrotor"], "admits no quadrotor"),
    ],
)
def test_what_cannot_be_is_refused(words: list[str], said: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["task", "trace", str(small_bundle(tmp_path / "Small")), *words])
    assert isinstance(result.exception, ZunftError)
    assert said in str(result.exception)


def test_a_wrapped_environment_has_nothing_to_trace(tmp_path: Path) -> None:
    folder = str(tmp_path / "pendulum")
    run("wrap", "Pendulum-v1", "--folder", folder)
    result = CliRunner().invoke(app, ["task", "trace", folder])
    assert isinstance(result.exception, ZunftError)
    assert "no scene" in str(result.exception)
