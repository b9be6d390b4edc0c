"""What does not fit a robot is refused before a byte of it is fetched: a real hub counts what is asked."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import envs
from envs.task import load_task
from envs.workshop import fresh_workshop
from fleet.abilities import abilities_of
from fleet.membership import connect, join
from fleet.progress import Progress
from fleet.robot_folder import RobotFolder
from fleet.simulate import FleetPlan, RobotPlan, _agent
from fleet.usage import use_skill
from hub.settings import Settings
from skills.errors import ContractError
from skills.fits import Abilities, Ability, RobotFit, fit_of
from skills.skill import Skill
from tests.fleet.small_robot import SmallPlace, SmallRobot, make_robot, small_skill
from tests.hub.conftest import ADMIN, Hall, Hands, StubGate, ok, small_settings
from tests.hub.serving import serving
from zunft.cli import app
from zunft.new_skill import new_skill

ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64
TEMPLATE = Path(envs.__file__).parent / "templates" / "task"


@dataclass
class Watched:
    """A real hub over HTTP, and every path that it was asked for."""

    hall: Hall
    url: str
    asked: list[str]

    def join(self, home: Path, embodiment: str = "ur5e") -> RobotFolder:
        token = ok(self.hall.post("/enrolment-tokens", {})).json()[0]["token"]
        join(RobotFolder(home), self.url, token=token, name="anna", embodiment=embodiment)
        return RobotFolder(home)

    def publish_stable(self, skill: Skill) -> None:
        """Published, measured and released, by the hub itself."""
        ok(self.hall.publish(skill))
        self.hall.release(name=skill.manifest.name)

    def files(self) -> list[str]:
        return [path for path in self.asked if path.endswith("/file")]


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Watched]:
    settings: Settings = small_settings(tmp_path / "hub")
    clock = Hands()
    clock.now = datetime.now(UTC)  # robots take nothing that has expired
    hall = Hall(settings.model_copy(update={"clock_skew_seconds": 10**9}), StubGate(), clock)
    asked: list[str] = []

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        asked.append(scope.get("path", ""))
        await hall.app(scope, receive, send)

    with serving(watched) as url:
        yield Watched(hall, url, asked)
    hall.client.close()


def of_no_bundle(skill: Skill) -> Skill:
    """For a gate that is a stand-in."""
    return Skill(skill.manifest.model_copy(update={"task_digest": None}), skill.tensors)


def of_bundle(version: int, digest: str) -> Skill:
    skill = small_skill(version)
    return Skill(skill.manifest.model_copy(update={"task_digest": digest}), skill.tensors)


def test_a_robot_keeps_the_skill_it_has_and_asks_for_no_byte_of_what_does_not_fit(
    hub: Watched, tmp_path: Path
) -> None:
    hub.publish_stable(of_bundle(1, ONE))
    hub.join(tmp_path / "robot")
    # The hub's gate is a stand-in, which measures at no bundle that anybody could name.
    (tmp_path / "robot" / "settings.toml").write_text("[trust]\ndemand = []\n")
    robot: SmallRobot = make_robot(tmp_path / "robot", hub.url, place=SmallPlace(task_digest=ONE))
    robot.agent.step()
    assert hub.files() == ["/api/v1/skills/follow/versions/1/file"]
    ok(hub.hall.publish(of_bundle(2, TWO)))
    hub.hall.release(2, "follow")
    for _ in range(3):
        robot.agent.step()
    assert hub.files() == ["/api/v1/skills/follow/versions/1/file"]
    memory = robot.bench.memory("follow")
    assert memory.in_use is not None
    assert memory.in_use.version == 1
    assert "another bundle of task follow" in next(iter(memory.refused.values()))
    assert robot.bench.skill(memory.in_use.digest) is not None


def test_a_robot_serves_each_task_that_it_has_fetched_whatever_it_works_on_now(
    hub: Watched, tmp_path: Path
) -> None:
    hub.publish_stable(of_no_bundle(new_skill("weld-seam", seed=0)))
    bench = hub.join(tmp_path / "robot")
    fetched = own_task(bench.home / "tasks")
    use_skill(bench, connect(bench), "weld-seam", episodes=1, seed=0)
    ok(hub.hall.publish(new_skill(str(fetched), seed=0)))
    (found,) = asked_of(hub, "stack-bricks@1")
    assert (found.fits, found.differences) == ("yes", ())


class Silent:
    """A line to nobody."""

    def report(self, progress: Progress) -> None:
        pass

    def stopped(self) -> bool:
        return False

    def wait(self, seconds: float) -> None:
        pass


def test_a_simulated_robot_serves_the_task_that_it_has_fetched(hub: Watched, tmp_path: Path) -> None:
    bench = hub.join(tmp_path / "robot")
    fetched = own_task(bench.home / "tasks")
    ok(hub.hall.publish(new_skill(str(fetched), seed=0)))
    robots = (RobotPlan("anna", fresh_workshop(load_task(fetched).file, "ur5e", 0)),)
    plan = FleetPlan(hub.url, "stack-bricks", robots, tmp_path)
    _agent(Silent(), plan, 0, bench).step()
    (found,) = asked_of(hub, "stack-bricks@1")
    assert (found.fits, found.differences) == ("yes", ())


def test_of_two_bundles_of_a_task_the_one_that_fits_counts() -> None:
    manifest, contract = of_bundle(1, TWO).manifest, small_skill().manifest.contract
    kept = (Ability(task="follow", task_digest=digest, contract=contract) for digest in (ONE, TWO))
    assert fit_of(manifest, Abilities(abilities=tuple(kept)), "ur5e").fits == "yes"


def own_task(folder: Path) -> Path:
    shutil.copytree(TEMPLATE, folder / "stack-bricks")
    for path in (folder / "stack-bricks").iterdir():
        path.write_text(path.read_text(encoding="utf-8").replace("NAME", "stack-bricks"), encoding="utf-8")
    return folder / "stack-bricks"


def test_using_a_skill_of_another_contract_is_refused_with_the_difference_shown(
    hub: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = own_task(tmp_path / "tasks")
    monkeypatch.setenv("ZUNFT_TASKS", str(task.parent))
    hub.publish_stable(new_skill("stack-bricks", seed=0))
    text = (task / "task.toml").read_text(encoding="utf-8")
    (task / "task.toml").write_text(text.replace("control_hz = 50", "control_hz = 25"), encoding="utf-8")
    assert load_task("stack-bricks").contract.control_hz == 25
    bench = hub.join(tmp_path / "robot")
    with pytest.raises(ContractError, match=r"control rate 50\.0 Hz instead of 25\.0 Hz"):
        use_skill(bench, connect(bench), "stack-bricks", episodes=1, seed=0)
    assert hub.files() == []
    (found,) = asked_of(hub, "stack-bricks@1")
    assert (found.fits, found.differences) == ("no", ("control rate 50.0 Hz instead of 25.0 Hz",))
    assert hub.files() == []


def asked_of(hub: Watched, reference: str) -> list[RobotFit]:
    words = ["skill", "fits", reference, "--hub", hub.url, "--token", ADMIN]
    shown = CliRunner().invoke(app, words)
    assert shown.exit_code == 0, shown.output
    assert "anna" in shown.output
    answer = CliRunner().invoke(app, [*words, "--json"])
    return [RobotFit.model_validate(each) for each in json.loads(answer.output)["items"]]


@pytest.mark.parametrize(
    ("embodiment", "fits"), [("sawyer", "yes"), ("quadrotor", "no"), ("acme-7", "unknown")]
)
def test_a_robot_says_what_it_serves_when_it_joins(
    hub: Watched, tmp_path: Path, embodiment: str, fits: str
) -> None:
    hub.publish_stable(new_skill("weld-seam", seed=0))
    token = ok(hub.hall.post("/enrolment-tokens", {})).json()[0]["token"]
    words = f"robot join --hub {hub.url} --name anna --embodiment {embodiment} --home {tmp_path / 'robot'}"
    for _ in range(2):  # the second time nothing is told, for it may know better by now
        joined = CliRunner().invoke(app, words.split(), env={"ZUNFT_ROBOT_TOKEN": token})
        assert joined.exit_code == 0, joined.output
    (found,) = asked_of(hub, "weld-seam")
    assert found.fits == fits
    assert sum(path.endswith("/abilities") for path in hub.asked) == (fits != "unknown")


def test_a_file_is_held_to_the_robot_of_this_machine_without_a_hub(hub: Watched, tmp_path: Path) -> None:
    hub.join(tmp_path / "robot", "quadrotor")
    before = len(hub.asked)
    for task, fits in (("hover-inspect", "yes"), ("weld-seam", "no")):
        new_skill(task, seed=0).save(tmp_path / f"{task}.skill")
        words = [
            "skill",
            "fits",
            str(tmp_path / f"{task}.skill"),
            "--home",
            str(tmp_path / "robot"),
            "--json",
        ]
        answer = CliRunner().invoke(app, words)
        (found,) = map(RobotFit.model_validate, json.loads(answer.output)["items"])
        assert (found.name, found.fits) == ("anna", fits)
        if fits == "no":
            assert "this quadrotor does not serve task weld-seam" in found.differences[0]
            own = CliRunner().invoke(app, [*words, "--env", "tests.fleet.own_robots:make_good"])
            assert json.loads(own.output)["items"][0]["fits"] == "yes"
    assert len(hub.asked) == before


def test_a_robot_serves_what_its_embodiment_may_practise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arm = {each.task for each in abilities_of("panda").abilities}
    assert {each.task for each in abilities_of("quadrotor").abilities} == {"hover-inspect"}
    assert arm == {
        "insert-peg", "iron-cloth", "place-part", "polish-surface", "push-part", "swing-load", "weld-seam"
    }  # fmt: skip
    assert abilities_of("nobody-knows-it").abilities == ()
    only = load_task("weld-seam")
    assert [each.contract for each in abilities_of("panda", only).abilities] == [only.contract]
    shutil.copy(Path(envs.__file__).parent / "arms" / "ur5e.xml", tmp_path / "my-arm.xml")
    monkeypatch.setenv("ZUNFT_EMBODIMENTS", str(tmp_path))
    assert {each.task for each in abilities_of("my-arm").abilities} == arm
    own_task(tmp_path / "tasks")
    (tmp_path / "tasks" / "broken").mkdir()
    (tmp_path / "tasks" / "broken" / "task.toml").write_text("format = 3")
    monkeypatch.setenv("ZUNFT_TASKS", str(tmp_path / "tasks"))
    assert {each.task for each in abilities_of("panda").abilities} == arm | {"stack-bricks"}
