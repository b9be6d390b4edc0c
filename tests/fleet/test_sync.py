from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.robot_folder import Pending
from fleet.sync import Drop, Push, Train, Wait, backoff, check_fit, decide, judge
from skills.errors import ContractError
from skills.manifest import Channel
from skills.messages.plans import TrainingPlan
from skills.messages.rounds import Assignment
from tests.fleet.lying_hub import LyingHub
from tests.fleet.small_robot import CONTRACT, small_skill

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def assignment(
    number: int = 1, *, campaign: str = "c", seconds: float = 60, max_staleness: int = 0
) -> Assignment:
    return Assignment(
        campaign_id=campaign,
        round_id=f"{campaign}-{number}",
        number=number,
        rounds=3,
        base=LyingHub().publish(small_skill()),
        deadline=NOW + timedelta(seconds=seconds),
        training=TrainingPlan(),
        learning_rate=1e-3,
        max_staleness=max_staleness,
    )


def pending(number: int = 1, *, campaign: str = "c") -> Pending:
    return Pending(
        skill="follow",
        campaign_id=campaign,
        round_id=f"{campaign}-{number}",
        number=number,
        digest="sha256:" + "0" * 64,
        deadline=NOW,
    )


def test_a_robot_trains_what_it_is_asked_to() -> None:
    order = assignment()
    assert decide(None, order, NOW, {}) == Train(order)


@pytest.mark.parametrize("order", [None, assignment(), assignment(7, campaign="another")])
def test_owed_work_is_handed_in_before_anything_else(order: Assignment | None) -> None:
    assert decide(pending(), order, NOW, {}) == Push()


def test_owed_work_is_handed_in_after_its_deadline_too_as_long_as_the_hub_names_no_other_round() -> None:
    assert decide(pending(), None, NOW + timedelta(days=1), {}) == Push()


def test_work_for_a_round_that_is_over_is_dropped_with_the_reason() -> None:
    action = decide(pending(1), assignment(2), NOW, {})
    assert isinstance(action, Drop)
    assert action.reason == "round 1 is over, the hub is at round 2."


def test_late_work_is_handed_in_as_long_as_the_hub_takes_it() -> None:
    assert decide(pending(1), assignment(3, max_staleness=2), NOW, {}) == Push()
    assert isinstance(decide(pending(1), assignment(4, max_staleness=2), NOW, {}), Drop)


def test_a_round_that_is_over_is_not_begun() -> None:
    action = decide(None, assignment(seconds=0), NOW, {})
    assert isinstance(action, Wait)
    assert "ended" in action.reason


def test_a_round_that_failed_here_is_not_tried_again_but_the_next_one_is() -> None:
    failed = {"c-1": "training diverged"}
    action = decide(None, assignment(1), NOW, failed)
    assert isinstance(action, Wait)
    assert "training diverged" in action.reason
    assert isinstance(decide(None, assignment(2), NOW, failed), Train)


@given(
    failures=st.integers(0, 10**6),
    base=st.floats(1e-3, 10),
    cap=st.floats(1e-3, 1e4),
    seed=st.integers(0, 99),
)
def test_a_pause_is_never_longer_than_cap_or_doubled_base(
    failures: int, base: float, cap: float, seed: int
) -> None:
    pause = backoff(failures, np.random.default_rng(seed), base=base, cap=cap)
    assert 0 <= pause <= min(cap, base * 2.0 ** min(failures, 1000))


def test_robots_that_lost_the_hub_together_come_back_spread_over_the_whole_ceiling() -> None:
    pauses = [backoff(3, np.random.default_rng(robot), base=1, cap=300) for robot in range(400)]
    counts, _ = np.histogram(pauses, bins=8, range=(0, 8))
    assert counts.min() > 400 / 8 / 2


def test_pauses_grow_with_failures() -> None:
    means = [
        np.mean([backoff(n, np.random.default_rng(seed), base=1, cap=300) for seed in range(200)])
        for n in range(6)
    ]
    assert all(later > 1.5 * earlier for earlier, later in pairwise(means))


@given(candidate=st.floats(0, 1), current=st.floats(0, 1), tolerance=st.floats(0, 1))
def test_a_skill_is_taken_exactly_when_it_is_no_worse_than_tolerated(
    candidate: float, current: float, tolerance: float
) -> None:
    verdict = judge(candidate, current, tolerance)
    assert verdict.accepted == (candidate >= current - tolerance)
    assert f"{candidate:.2f}" in verdict.reason
    assert f"{current:.2f}" in verdict.reason


def test_the_first_version_is_taken() -> None:
    assert judge(0.0, None, 0.1).accepted


def test_a_skill_of_the_same_contract_fits() -> None:
    check_fit(small_skill().manifest, skill="follow", contract=CONTRACT, task_digest="sha256:" + "0" * 64)


def test_what_does_not_fit_is_named() -> None:
    other = CONTRACT.model_copy(
        update={"action": (Channel(name="torque", size=1, unit="N m", scale=1.0),), "control_hz": 100.0}
    )
    with pytest.raises(ContractError, match=r"control rate .* lacks torque .* unknown velocity"):
        check_fit(small_skill().manifest, skill="follow", contract=other, task_digest=None)


def test_a_skill_of_another_task_bundle_does_not_fit() -> None:
    manifest = small_skill().manifest.model_copy(update={"task_digest": "sha256:" + "1" * 64})
    with pytest.raises(ContractError, match="another bundle"):
        check_fit(manifest, skill="follow", contract=CONTRACT, task_digest="sha256:" + "2" * 64)


def test_another_skill_than_the_asked_one_does_not_fit() -> None:
    with pytest.raises(ContractError, match="weld-seam"):
        check_fit(small_skill().manifest, skill="weld-seam", contract=CONTRACT, task_digest=None)
