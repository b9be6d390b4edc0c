"""Two hubs: one that can lie, and the real one as a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fleet.agent import AgentSettings
from fleet.client import OperatorClient
from skills.messages.campaigns import CampaignRequest, CampaignView
from skills.messages.plans import GatePlan, TrainingPlan
from skills.messages.robots import EnrolmentTokenRequest
from skills.skill import Skill
from tests.fleet.lying_hub import LyingHub, serve
from tests.fleet.small_robot import SmallRobot, make_robot, small_skill
from zunft.hub_process import HubProcess, run_hub
from zunft.new_skill import new_skill


@pytest.fixture
def hub() -> Iterator[LyingHub]:
    with serve(LyingHub()) as running:
        yield running


@dataclass(frozen=True)
class Guild:
    """A real hub with an untrained weld-seam in its catalogue, of which nothing is asked."""

    process: HubProcess
    operator: OperatorClient
    skill: Skill

    @property
    def url(self) -> str:
        return self.process.url

    def tokens(self, count: int) -> list[str]:
        return [token.token for token in self.operator.create_tokens(EnrolmentTokenRequest(count=count))]

    def start_campaign(self, robots: int) -> CampaignView:
        """One round of one iteration, and a gate that takes what comes."""
        order = CampaignRequest(
            skill="weld-seam",
            rounds=1,
            quorum=robots,
            target=robots,
            training=TrainingPlan(iterations=1),
            gate=GatePlan(embodiments=("ur5e",), episodes=2, margin=1),
        )
        return self.operator.start_campaign(order)

    def ended(self, campaign: CampaignView) -> bool:
        return self.operator.campaign(campaign.campaign_id).state != "running"


@pytest.fixture(scope="session")
def guild(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guild]:
    folder: Path = tmp_path_factory.mktemp("guild")
    with run_hub(folder) as process:
        operator = OperatorClient.open(process.url, process.admin_token)
        skill = new_skill("weld-seam", seed=0, network={"hidden": (8,)})
        operator.publish_skill(skill)
        operator.change_minimum(skill.manifest.name, 0.0)
        yield Guild(process, operator, skill)


@pytest.fixture
def robot(hub: LyingHub, tmp_path: Path) -> SmallRobot:
    hub.publish(small_skill())
    return make_robot(tmp_path, hub.url, settings=AgentSettings(look_seconds=0, adopts=False))
