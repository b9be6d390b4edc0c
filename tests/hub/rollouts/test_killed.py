"""A hub that is killed while it takes a roll-out on: another process goes on, and robots never notice."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fleet.agent import AgentSettings
from fleet.client import OperatorClient
from fleet.reporting import count_job
from skills.errors import HubUnreachableError
from skills.messages.lists import RolloutQuery
from skills.messages.robots import EnrolmentTokenRequest
from skills.messages.rollouts import RingPlan, RolloutOrder, RolloutRequest, RolloutView
from tests.eventually import eventually
from tests.fleet.small_robot import SmallPlace, SmallRobot, make_robot, small_skill
from tests.hub.conftest import ADMIN, small_settings
from tests.hub.new_tables import with_tables
from tests.hub.rollouts.killed import Moment
from tests.hub.running import running_hub
from zunft.hub_process import free_port

RING = RingPlan(least_seconds=0, least_jobs=4, margin=0.9, arm_margin=0.9)
ABORT = RolloutOrder(order="abort", reason="seams too wide")
START = "from tests.hub.rollouts.killed import serve_until; serve_until({!r}, {!r})"


class Guild:
    """A folder and a port for one hub after another, and robots that follow whichever there is."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.operator = OperatorClient.open(self.url, ADMIN)
        self.robots: list[SmallRobot] = []
        with_tables(small_settings(folder / "hub"))

    @contextmanager
    def hub(self, dies_at: str = "", when: Moment = "after_commit") -> Iterator[None]:
        """The next process. Where it dies robots work on with what they have."""
        start = START.format(dies_at, when)
        settings = {"ZUNFT_PORT": str(self.port), "ZUNFT_LEASE_SECONDS": "1"}
        with running_hub(self.folder / "hub", start=start, **settings) as hub:
            yield
            if dies_at:
                assert eventually(lambda: hub.status, f"a hub that dies when {dies_at}") == -signal.SIGKILL
        before = self.used
        self.look()
        assert self.used == before

    def found(self) -> None:
        """Two robots use v1 and have done jobs with it; v2 is there."""
        self.operator.publish_skill(small_skill(1))
        move = self.operator.move_channel("follow", "stable", 1)
        eventually(lambda: self.operator.release("follow", move.release_id).finished_at, "a release")
        self.operator.publish_skill(small_skill(2))
        for number, token in enumerate(self.operator.create_tokens(EnrolmentTokenRequest(count=2))):
            name, place = f"robot-{number}", SmallPlace(scores={1: 0.5, 2: 0.9})  # better in the twin
            at_once = AgentSettings(look_seconds=0)
            home = self.folder / name
            self.robots.append(
                make_robot(home, self.url, name=name, token=token.token, place=place, settings=at_once)
            )
        self.until_used(1, 1)
        for robot in self.robots:
            self.work(robot, done=True)

    def start(self) -> None:
        """Order it: the first robot, then all."""
        first = RING.model_copy(update={"robots": (self.robots[0].bench.identity().robot_id,)})
        self.operator.start_rollout(RolloutRequest(skill="follow", version=2, rings=(first, RING)))

    @property
    def used(self) -> list[int]:
        """What each robot has in use."""
        return [in_use(each) for each in self.robots]

    def look(self) -> None:
        """Each robot asks, whether there is a hub or not."""
        for robot in self.robots:
            robot.agent.step()

    def until_used(self, *versions: int) -> None:
        """What the hub has entered is signed, and robots take it."""

        def taken() -> bool:
            self.look()
            return self.used == [*versions]

        eventually(taken, lambda: f"{self.used}, not {versions}")

    def work(self, robot: SmallRobot, *, done: bool) -> None:
        """Do jobs with what is in use."""
        for _ in range(30):
            count_job(robot.bench, "follow", in_use(robot), done=done, guards={})

    @property
    def rollout(self) -> RolloutView:
        """There is never more than one."""
        (found,) = self.operator.rollouts(RolloutQuery()).items
        return self.operator.rollout(found.rollout_id)

    def until(self, state: str) -> RolloutView:
        """The hub's own loops move it on."""
        eventually(lambda: self.rollout.state == state, lambda: f"{self.rollout.state}, not {state}")
        return self.rollout


def in_use(robot: SmallRobot) -> int:
    found = robot.bench.memory("follow").in_use
    return found.version if found else 0


def events(rollout: RolloutView) -> list[str]:
    return [each.event for each in rollout.steps]


@pytest.mark.thorough
def test_killed_at_every_step_of_a_rollout_that_succeeds_and_is_aborted(tmp_path: Path) -> None:
    guild = Guild(tmp_path)
    with guild.hub("started", "after_commit"):
        guild.found()
        with pytest.raises(HubUnreachableError):
            guild.start()
    with guild.hub("measured", "before_commit"):
        pass
    with guild.hub("passed", "after_commit"):
        guild.until_used(2, 1)
        guild.work(guild.robots[0], done=True)
        guild.look()
    with guild.hub("finished", "before_commit"):
        guild.until_used(2, 2)
        guild.work(guild.robots[1], done=True)
        guild.look()
    with guild.hub("aborted", "after_commit"):
        found = guild.until("done")
        assert events(found) == ["measured", "passed", "finished"]
        assert guild.operator.version("follow", "stable").version == 2
        with pytest.raises(HubUnreachableError):
            guild.operator.order_rollout(
                found.rollout_id, RolloutOrder(order="abort", reason="seams too wide")
            )
    with guild.hub():
        guild.until_used(1, 1)
        assert events(guild.rollout) == ["measured", "passed", "finished", "aborted"]
        assert guild.operator.version("follow", "stable").version == 1


def test_killed_before_and_behind_the_verdict_on_a_version_that_fails(tmp_path: Path) -> None:
    guild = Guild(tmp_path)
    with guild.hub("failed", "before_commit"):
        guild.found()
        guild.start()
        guild.until_used(2, 1)
        guild.work(guild.robots[0], done=False)
        guild.look()
    with guild.hub("failed", "after_commit"):
        pass
    with guild.hub():
        guild.until_used(1, 1)
        assert guild.rollout.state == "stopped"
        assert events(guild.rollout) == ["measured", "failed"]
