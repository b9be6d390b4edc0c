"""What leaves a hall is its owner's word, skill by skill; how many it may count for is the larger hall's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.halls.leaving import why_not
from skills.delta import EncodedDelta
from skills.messages.halls import SharePlan
from skills.messages.plans import MergePlan, TrainingPlan
from skills.signing import SigningKey
from tests.hub.conftest import Hall, ok
from tests.zunft.halls.sites import SHARED, Site, joined, lone, numbers, order, two_sites, upper_hall, work_of


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Hall, Site]]:
    with two_sites(tmp_path, [2]) as (upper, sites):
        yield upper, sites[0]


def interests(upper: Hall) -> int:
    with upper.services.storage.database.read() as session:
        return len(session.connection().exec_driver_sql("SELECT 1 FROM interests").all())


def test_a_hall_that_shares_nothing_asks_for_nothing(pair: tuple[Hall, Site]) -> None:
    upper, site = pair
    site.halls.memberships.keep("reach")
    order(upper, quorum=1)
    for _ in range(3):
        assert site.bridge.step() > 0
    assert interests(upper) == 0
    assert site.halls.rounds.newest() == []


def test_a_round_under_way_is_dropped_once_nothing_leaves_any_more(pair: tuple[Hall, Site]) -> None:
    upper, site = pair
    order(upper, quorum=1)
    site.move("working")
    site.train(0)
    site.halls.memberships.keep("reach")
    assert "lets nothing out" in site.move("dropped").reason
    assert upper.get("/campaigns")[0]["rounds"][-1]["deltas"] == 0


def test_what_its_own_organisation_alone_sees_stays(pair: tuple[Hall, Site]) -> None:
    upper, site = pair
    site.halls.memberships.share(SHARED.model_copy(update={"organisation": "works"}))
    site.hall.organisation("works", visibility="private")
    order(upper, quorum=1)
    assert "--private" in site.move("dropped").reason
    assert site.hall.get("/campaigns") == []


@pytest.mark.parametrize(
    ("said", "visibility", "region", "stays"),
    [
        ({}, "guild", "", ""),
        ({}, "organisation", "", "--private"),
        ({"private": True}, "private", "", ""),
        ({}, "guild", "eu", "--region eu"),
        ({"region": "us"}, "guild", "eu", "--region eu"),
        ({"region": "eu"}, "guild", "eu", ""),
    ],
)
def test_each_is_said_by_itself(said: dict[str, object], visibility: str, region: str, stays: str) -> None:
    plan = SharePlan.model_validate({"skill": "reach", **said})
    found = why_not(plan, visibility, region, TrainingPlan())  # type: ignore[arg-type] # one of three words
    assert stays in found
    assert bool(found) == bool(stays)


def test_control_variates_are_refused() -> None:
    assert "control variates" in why_not(SHARED, "guild", "", TrainingPlan(variates=True))


def test_a_sum_of_steps_has_no_momentum() -> None:
    with pytest.raises(ValueError, match="without momentum"):
        SharePlan(skill="reach", merge=MergePlan(momentum=0.5))


@pytest.mark.parametrize("told", [False, True])
def test_digests_of_deltas_leave_where_the_owner_says_so(
    pair: tuple[Hall, Site], told: bool, tmp_path: Path
) -> None:
    upper, site = pair
    site.halls.memberships.share(SHARED.model_copy(update={"digests": told}))
    order(upper, quorum=1)
    site.move("working")
    site.train(0)
    row = site.move("handed")
    store = upper.services.storage.store
    with store.open(str(row.delta), tmp_path, limit=1_000_000) as file:
        header = EncodedDelta.from_bytes(file.read(), work_of(row).base.manifest.network.shapes()).header
    assert (header.robots, len(header.behind), header.metrics) == (2, 2 if told else 0, {})


def test_a_robot_counts_for_one_and_a_hall_for_no_more_than_it_was_let_in_for(tmp_path: Path) -> None:
    with upper_hall(tmp_path / "upper") as (upper, address):
        site = joined(lone(tmp_path / "site"), address, upper, 3, allowed=2)
        robot = upper.enrol("boaster")
        order(upper, quorum=1)
        upper_work = site.move("working")
        work = work_of(upper_work)
        boast = robot.delta(work, numbers(1), robots=5)
        assert upper.error(robot.push(work.round_id, boast), 403)["code"] == "too_many_robots"
        site.train(0)
        assert "for 3 robots" in site.move("dropped").reason
        ok(robot.push(work.round_id, robot.delta(work, numbers(1))))
        site.bridge.close()
        site.hall.close()


def test_a_halls_token_lets_no_robot_in_nor_the_reverse(pair: tuple[Hall, Site]) -> None:
    upper, _ = pair
    for wanted, embodiment in (({"hall_robots": 3}, "ur5e"), ({}, "hall")):
        token = ok(upper.post("/enrolment-tokens", wanted)).json()[0]["token"]
        request = {
            "token": token,
            "name": "one",
            "embodiment": embodiment,
            "public_key": SigningKey.generate().public.text,
        }
        assert upper.error(upper.post("/robots", request), 401)["code"] == "bad_enrolment_token"
