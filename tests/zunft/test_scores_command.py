"""`zunft task leaderboard`, `score` and `replay`, against a hub that scored by itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from envs.archive import pack as pack_bundle
from envs.replay import read_replay, record
from envs.scripted import controller
from envs.task import load_task
from envs.workshop import data_sheet
from hub.settings import Settings
from hub.storage.tables.scores import ScoreRow
from skills.container import pack
from skills.errors import ArtefactError, ContractError, NotFoundError
from skills.skill import Skill
from tests.eventually import eventually
from tests.hub.conftest import Hall, Hands, StubGate, ok, small_settings, tiny_skill
from tests.hub.leaderboards.samples import SMALL
from tests.hub.serving import serving
from tests.hub.tasks.samples import publish, states, template_bundle
from tests.hub.workers.test_gate import weld_skill
from zunft.cli import app
from zunft.new_skill import new_skill

DRAW = """
import sys
from pathlib import Path
from zunft.commands.task.scores import draw
for target in sys.argv[2:]:
    draw(Path(sys.argv[1]), Path(target), "")
"""


@pytest.fixture
def hall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hall]:
    monkeypatch.setattr("hub.leaderboards.wiring.BOARD", SMALL)
    monkeypatch.setattr("zunft.rescore.BOARD", SMALL)
    monkeypatch.delenv("ZUNFT_TOKEN", raising=False)
    settings: Settings = small_settings(tmp_path / "hub")
    found = Hall(settings, StubGate(), Hands())
    with serving(found.app) as address:
        monkeypatch.setenv("ZUNFT_HUB", address)
        yield found


def publish_stable(hall: Hall, skill: Skill) -> None:
    """Published, measured and released, by the hub itself."""
    name = skill.manifest.name
    ok(hall.publish(skill))
    hall.release(skill.manifest.version, name)
    stable = f"/api/v1/skills/{name}/versions/stable"
    eventually(lambda: hall.client.get(stable).json().get("version") == skill.manifest.version)


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["task", *words], env={"COLUMNS": "120"})


def said(*words: str) -> str:
    result = run(*words)
    assert result.exit_code == 0, (result.output, result.exception)
    return " ".join(result.stdout.split())


def test_a_score_is_shown_repeated_and_found_the_same(hall: Hall, tmp_path: Path) -> None:
    skill = weld_skill(0)
    publish_stable(hall, skill)
    publish_stable(hall, tiny_skill(name="other", task="weld-seam"))
    assert "weld-seam v1 of guild waits to be measured." in said("leaderboard", "weld-seam")
    unmeasured = run("score", "weld-seam")
    assert "no score of this version" in str(unmeasured.exception)
    assert isinstance(unmeasured.exception, NotFoundError)
    hall.services.leaderboards.scorer.work()
    shown = said("leaderboard", "weld-seam")
    assert "2 episodes on each of 6 robots, seed 40000" in shown
    assert "●" in shown
    assert "other v1 of guild cannot be measured: the skill does not fit" in shown
    entry = json.loads(run("leaderboard", "weld-seam", "--json").stdout)["entries"][0]
    assert f"Repeat a score: {entry['command']}" in shown
    words = entry["command"].split()[2:]  # without `zunft task`
    assert "The digits are the hub's." in said(*words)
    token, key = hall.operator["Authorization"].removeprefix("Bearer "), str(tmp_path / "me.pem")
    assert "The digits are the hub's." in said(*words, "--attest", "--key", key, "--token", token)
    assert (tmp_path / "me.pem").exists()
    assert "weld-seam v1: confirmed by guild (its own)" in said("leaderboard", "weld-seam")
    vouched = CliRunner().invoke(app, ["skill", "vouch", "weld-seam@1", "--json"]).stdout
    says = {each["kind"]: each["sentence"] for each in json.loads(vouched)["attestations"]}
    assert says["score"].endswith("in 12 episodes of weld-seam by user:admin")
    file = tmp_path / "a.replay"
    found = json.loads(run(*words, "--json", "--replay", str(file)).stdout)
    assert found["same"] is True
    assert (found["score"], found["by_embodiment"]) == (entry["score"], entry["by_embodiment"])
    assert len(file.read_bytes()) == entry["replay_size"]
    local = tmp_path / "mine.skill"
    skill.save(local)
    alone = json.loads(run("score", str(local), "--json", "--hub", "http://127.0.0.1:1").stdout)
    assert (alone["by_embodiment"], alone["hub"], alone["same"]) == (entry["by_embodiment"], None, None)


def test_other_digits_end_with_1(hall: Hall) -> None:
    skill = weld_skill(0)
    publish_stable(hall, skill)
    hall.services.leaderboards.scorer.work()
    with hall.services.storage.database.write() as session:
        row = session.get_one(ScoreRow, skill.digest)
        report = json.loads(json.dumps(row.report))  # a copy, or the change would go unseen
        report["by_embodiment"]["iiwa"]["mean_return"] += 1e-9
        row.report = report
    result = run("score", "weld-seam@1")
    assert result.exit_code == 1
    assert "These are not the hub's digits" in result.stdout
    assert json.loads(run("score", "weld-seam@1", "--json").stdout)["same"] is False


def test_a_published_task_that_is_not_here_is_fetched_to_repeat_a_score(hall: Hall, tmp_path: Path) -> None:
    bundle = template_bundle(tmp_path / "Bundle", "stack-bricks")
    ok(publish(hall, pack_bundle(bundle), visibility="guild"))
    eventually(lambda: states(hall) == {"stack-bricks/1": "listed"})
    publish_stable(hall, new_skill(str(bundle), seed=0))
    hall.services.leaderboards.scorer.work()
    assert "The digits are the hub's." in said("score", "stack-bricks@1")


def test_a_task_that_is_another_here_is_named_before_anything_is_measured(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_stable(hall, weld_skill(0))
    hall.services.leaderboards.scorer.work()
    monkeypatch.setattr("hub.leaderboards.boards.board_digest", lambda *_: "sha256:" + "0" * 64)
    result = run("score", "weld-seam")
    assert isinstance(result.exception, ContractError)
    assert "Install the hub's version" in str(result.exception)


@pytest.fixture
def replay(tmp_path: Path) -> Path:
    """Of a few frames."""
    task = load_task("weld-seam")
    _, data = record(controller("p", task), task, data_sheet(task.file, "ur5e"), 3, seed=0)
    found, tensors = read_replay(data)
    episodes = {kind: each.model_copy(update={"frames": 4}) for kind, each in found.episodes.items()}
    short = found.model_copy(update={"episodes": episodes})
    file = tmp_path / "a.replay"
    file.write_bytes(pack(short.model_dump_json(), {name: each[:4] for name, each in tensors.items()}))
    return file


def test_a_replay_is_drawn_with_gl(replay: Path, tmp_path: Path) -> None:
    """In a process of its own: MuJoCo chooses its GL when it is imported."""
    pictures = [tmp_path / "a.png", tmp_path / "a.gif"]
    command = [sys.executable, "-c", DRAW, str(replay), *map(str, pictures)]
    result = subprocess.run(
        command, env={**os.environ, "MUJOCO_GL": "egl"}, capture_output=True, text=True, check=False
    )
    if "without GL" in result.stdout:
        pytest.skip("there is no EGL here")
    assert result.returncode == 0, result.stderr
    assert [each.read_bytes()[:4] for each in pictures] == [b"\x89PNG", b"GIF8"]
    assert pictures[1].read_bytes().count(b"\x21\xf9\x04") == 4  # as many images as frames


def test_a_replay_is_plotted_without_gl_and_read_with_care(
    replay: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zunft.replay_pictures.can_render", lambda: False)
    assert "only the ways" in said("replay", str(replay), "-o", str(tmp_path / "ways.png"))
    assert (tmp_path / "ways.png").read_bytes().startswith(b"\x89PNG")
    assert isinstance(run("replay", str(replay), "-o", str(tmp_path / "b.gif")).exception, ContractError)
    other = run("replay", str(replay), "-o", str(tmp_path / "c.png"), "--task", "insert-peg")
    assert "not of this weld-seam" in str(other.exception)
    replay.write_bytes(replay.read_bytes()[:-1])
    assert isinstance(run("replay", str(replay), "-o", str(tmp_path / "c.png")).exception, ArtefactError)
