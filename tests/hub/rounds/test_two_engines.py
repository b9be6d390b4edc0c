"""Two engines on one round: each step is done once in effect, whoever was thought to be dead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from hub.access.principal import THE_HUB
from hub.settings import Settings
from hub.storage.tables.rounds import CampaignRow
from skills.messages.plans import GatePlan
from skills.messages.skills import GateReport
from skills.skill import Skill
from tests.hub.conftest import Hall, Hands, Robot, StubGate, ok, random_tensors, tiny_skill
from tests.hub.servers import fresh_database, postgres

BASE = tiny_skill()


class InterruptedGate(StubGate):
    """Something happens in the middle of the next measurement."""

    meanwhile: Callable[[], object] | None = None

    def __call__(self, candidate: Skill, current: Skill | None, plan: GatePlan) -> GateReport:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return super().__call__(candidate, current, plan)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def shared(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    if request.param == "sqlite":
        return settings
    url = fresh_database(request.getfixturevalue("server"))
    return settings.model_copy(update={"database_url": url})


@pytest.fixture
def halls(shared: Settings, clock: Hands) -> Iterator[tuple[Hall, Hall]]:
    """Two processes of one hub, as good as."""
    found = Hall(shared, InterruptedGate(), clock), Hall(shared, InterruptedGate(), clock)
    yield found
    for hall in found:
        hall.close()


def collecting(hall: Hall, **order: object) -> tuple[str, list[Robot]]:
    ok(hall.publish(BASE))
    robots = [hall.enrol("one"), hall.enrol("two")]
    campaign = hall.start(rounds=1, target=2, **order)
    hall.turn()
    return campaign, robots


def bring(robots: list[Robot]) -> None:
    for number, robot in enumerate(robots):
        work = robot.assignment()
        assert work is not None
        ok(robot.push(work.round_id, robot.delta(work, random_tensors(BASE, number))))


def forget_leases(hall: Hall) -> None:
    """As if their holders had been frozen for long."""
    with hall.services.storage.database.write() as session:
        for row in session.query(CampaignRow):
            assert row.lease_expires_at is not None
            row.lease_expires_at -= timedelta(days=1)


def check_done_once(hall: Hall, campaign: str, rounds: int = 1) -> None:
    """Each step of each round is in the journal once, and each version is published once."""
    found = hall.campaign(campaign)
    assert (found.state, [each.state for each in found.rounds]) == ("finished", ["published"] * rounds)
    assert hall.version("stable").digest == found.rounds[-1].candidate
    kinds = Counter(event.kind for event in hall.services.events.log.after(0, THE_HUB).events)
    for state in ("open", "closing", "merging", "gating", "published"):
        assert kinds[f"round.{state}"] == rounds
    assert kinds["campaign.finished"] == 1
    assert kinds["version.added"] == 1 + rounds
    assert kinds["channel.moved"] == 2 * (1 + rounds)


@pytest.mark.parametrize("rule", ["mean", "fltrust"])  # the second one asks the gate while it merges
def test_who_is_succeeded_in_mid_work_lets_its_work_go(halls: tuple[Hall, Hall], rule: str) -> None:
    slow, quick = halls
    campaign, robots = collecting(slow, merge={"rule": rule})
    bring(robots)

    def succeed() -> None:
        forget_leases(quick)
        quick.turn()
        check_done_once(quick, campaign)

    gate = slow.gate
    assert isinstance(gate, InterruptedGate)
    gate.meanwhile = succeed
    before = len(gate.asked)
    slow.turn()
    assert len(gate.asked) == before + (1 if rule == "mean" else 3)
    check_done_once(slow, campaign)


def test_a_campaign_that_another_process_works_on_is_left_alone(halls: tuple[Hall, Hall]) -> None:
    busy, idle = halls
    campaign, robots = collecting(busy)
    bring(robots)

    def look() -> None:
        assert not idle.services.rounds.engine.run_once()
        (round_,) = idle.campaign(campaign).rounds
        assert "being measured against the current version, for 0 s" in round_.waiting_for

    gate = busy.gate
    assert isinstance(gate, InterruptedGate)
    gate.meanwhile = look
    busy.turn()
    assert idle.gate.asked == []
    check_done_once(busy, campaign)


def test_engines_at_work_at_once_share_the_steps(halls: tuple[Hall, Hall]) -> None:
    rounds = 3
    first, second = halls
    ok(first.publish(BASE))
    one, other = first.enrol("one"), first.enrol("two")
    two = Robot(second.client, second.clock, other.robot_id, other.key)
    for hall in halls:
        hall.services.start()
    campaign = first.start(rounds=rounds, target=2)
    bell = first.services.storage.bell
    for number in range(1, rounds + 1):
        while len(first.campaign(campaign).rounds) < number:
            bell.wait(bell.rings, 0.05)
        bring([one, two])
    while first.campaign(campaign).state == "running":
        bell.wait(bell.rings, 0.05)
    check_done_once(second, campaign, rounds)
    measured = sorted(version for hall in halls for version, current in hall.gate.asked if current)
    assert measured == [2, 3, 4]
