"""Two hub processes on one PostgreSQL and one S3: robots at both, and `kill -9` of the one at work."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from fleet.client import OperatorClient
from hub.access.principal import THE_HUB
from hub.clock import utc_now
from hub.events.log import EventLog
from hub.storage.database import Database
from hub.storage.notify import Bell
from skills.container import digest_of
from skills.messages.base import API
from skills.messages.campaigns import CampaignRequest, CampaignView
from skills.messages.plans import MergePlan, RuleName
from skills.messages.robots import EnrolmentRequest, EnrolmentTokenRequest
from skills.signing import SigningKey
from tests.eventually import eventually
from tests.hub.conftest import ADMIN, Robot, ok, random_tensors, tiny_skill
from tests.hub.replica import Trap
from tests.hub.running import RunningHub, running_hub
from tests.hub.servers import fresh_database, postgres, s3_server

PATIENCE = 90.0
BASE = tiny_skill()
OPERATOR = {"Authorization": f"Bearer {ADMIN}"}


@dataclass
class Guild:
    """Two replicas; `hubs[0]` is asked unless it was killed."""

    hubs: list[RunningHub]
    trap: Trap
    database_url: str
    robots: list[Robot]

    def operator(self) -> OperatorClient:
        return OperatorClient.open(self.hubs[0].address, ADMIN)

    def campaign(self, campaign_id: str) -> CampaignView:
        return self.operator().campaign(campaign_id)

    def enrol(self) -> None:
        """One robot at each replica."""
        for number, hub in enumerate(self.hubs):
            key = SigningKey.generate()
            (token,) = self.operator().create_tokens(EnrolmentTokenRequest())
            request = EnrolmentRequest(
                token=token.token, name=f"robot {number}", embodiment="ur5e", public_key=key.public.text
            )
            client = httpx.Client(base_url=hub.address)
            answer = ok(client.post(f"{API}/robots", json=request.model_dump(mode="json")))
            self.robots.append(Robot(client, utc_now, answer.json()["robot_id"], key))

    def bring(self, campaign_id: str, number: int) -> None:
        """Each robot, at its own replica, what it learned for a round."""
        eventually(lambda: len(self.campaign(campaign_id).rounds) == number)
        for place, robot in enumerate(self.robots):
            work = robot.assignment()
            assert work is not None
            ok(robot.push(work.round_id, robot.delta(work, random_tensors(BASE, place))))

    def kill(self, pid: int) -> None:
        """The replica with this process id, as a power cut would; its robot goes to the other one."""
        os.kill(pid, signal.SIGKILL)
        (dead,) = [hub for hub in self.hubs if hub.pid == pid]
        self.hubs.remove(dead)
        for robot in self.robots:
            robot.client = httpx.Client(base_url=self.hubs[0].address)

    def events(self) -> Counter[str]:
        database = Database(self.database_url, Bell())
        found = Counter(event.kind for event in EventLog(database).after(0, THE_HUB).events)
        database.close()
        return found


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder = tmp_path_factory.mktemp("servers")
    with postgres(folder / "postgres") as url, s3_server(folder / "s3") as s3:
        yield {
            "ZUNFT_DATABASE_URL": url,
            "ZUNFT_STORE_URL": f"s3://guild/blobs?endpoint={s3.endpoint}&secure=0&region=us-east-1&create=1",
            "ZUNFT_S3_ACCESS_KEY": s3.access_key,
            "ZUNFT_S3_SECRET_KEY": s3.secret_key,
            "ZUNFT_LEASE_SECONDS": "1",
        }


@pytest.fixture
def guild(servers: dict[str, str], tmp_path: Path) -> Iterator[Guild]:
    settings = servers | {"ZUNFT_DATABASE_URL": fresh_database(servers["ZUNFT_DATABASE_URL"])}
    start = f"from tests.hub.replica import serve_with_trap; serve_with_trap({str(tmp_path)!r})"
    with ExitStack() as stack:
        hubs = [
            stack.enter_context(running_hub(tmp_path / "data", start=start, **settings)) for _ in range(2)
        ]
        found = Guild(hubs, Trap(tmp_path), settings["ZUNFT_DATABASE_URL"], [])
        found.operator().publish_skill(BASE)
        found.enrol()
        yield found


@pytest.mark.parametrize(("state", "rule"), [("gating", "mean"), ("merging", "fltrust")])
def test_when_the_one_at_work_is_killed_the_other_finishes_and_all_is_published_once(
    guild: Guild, state: str, rule: RuleName
) -> None:
    order = CampaignRequest(skill="reach", rounds=2, quorum=2, target=2, merge=MergePlan(rule=rule))
    campaign = guild.operator().start_campaign(order).campaign_id
    eventually(lambda: guild.campaign(campaign).rounds)
    guild.trap.set()
    guild.bring(campaign, 1)
    eventually(guild.trap.caught)
    assert guild.campaign(campaign).rounds[0].state == state
    assert ", for " in guild.campaign(campaign).waiting_for
    caught = guild.trap.caught()
    assert caught is not None
    guild.kill(caught)
    guild.trap.open()
    guild.bring(campaign, 2)
    eventually(lambda: guild.campaign(campaign).state != "running")
    found = guild.campaign(campaign)
    assert (found.state, [each.state for each in found.rounds]) == ("finished", ["published"] * 2)
    assert [each.deltas for each in found.rounds] == [2, 2]
    kinds = guild.events()
    for each in ("open", "closing", "merging", "gating", "published"):
        assert kinds[f"round.{each}"] == 2
    assert kinds["delta.admitted"] == 4
    assert kinds["version.added"] == 3
    assert kinds["channel.moved"] == 6
    stable = guild.operator().version("reach", "stable")
    assert (stable.version, stable.digest) == (3, found.rounds[1].candidate)
    file = ok(httpx.get(f"{guild.hubs[0].address}{API}/skills/reach/versions/stable/file")).content
    assert digest_of(file) == stable.digest


def test_a_process_that_is_stopped_hands_over_at_once_and_news_reach_the_other(guild: Guild) -> None:
    one, two = guild.hubs
    with (
        httpx.Client(base_url=two.address, headers=OPERATOR, timeout=PATIENCE) as client,
        client.stream("GET", f"{API}/events?after=0") as stream,
    ):
        lines = stream.iter_lines()
        OperatorClient.open(one.address, ADMIN).publish_skill(tiny_skill(name="grasp"))
        while "grasp" not in next(lines):
            pass
    order = CampaignRequest(skill="reach", rounds=1, quorum=2, target=2)
    campaign = guild.operator().start_campaign(order).campaign_id
    one.stop()
    guild.hubs.remove(one)
    guild.robots[0].client = guild.robots[1].client
    guild.bring(campaign, 1)
    eventually(lambda: guild.campaign(campaign).state == "finished")
    assert not [line for line in two.log if line["event"] == "engine.takes_over"]
    assert guild.events()["round.published"] == 1
