from __future__ import annotations

import shutil
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from hub.access.principal import THE_HUB
from hub.merging import choose_engine
from hub.settings import Settings
from hub.storage.objects import StoreError
from hub.workers.merge_round import Received, write_candidate
from skills.bounds import LOG_STD
from skills.container import digest_of
from skills.delta import EncodedDelta, apply
from skills.errors import ContractError
from skills.messages.plans import MergePlan, TrainingPlan
from tests.hub.conftest import (
    MERGE,
    Collecting,
    Hall,
    Hands,
    Robot,
    StubGate,
    ok,
    random_tensors,
    tensors_like,
    tiny_skill,
)


def bring(robots: tuple[Robot, ...], seed: int) -> None:
    for number, robot in enumerate(robots):
        work = robot.assignment()
        assert work is not None
        data = robot.delta(work, random_tensors(tiny_skill(), seed * 100 + number), samples=100 + number)
        ok(robot.push(work.round_id, data))


def test_a_round_goes_from_deltas_to_a_new_stable_version(collecting: Collecting) -> None:
    hall, base = collecting.hall, collecting.base
    for fill, robot in zip((0.1, 0.3), collecting.robots, strict=True):
        assert ok(
            robot.push(collecting.work.round_id, robot.delta(collecting.work, tensors_like(base, fill)))
        )
    hall.turn()
    done = hall.round(collecting.work.round_id)
    assert (done.state, done.deltas, done.samples) == ("published", 2, 200)
    assert done.metrics["success"] == pytest.approx(0.5)
    assert done.metrics["cosine"] == pytest.approx(1.0)
    stable = hall.skill("stable")
    expected = apply(base.tensors, tensors_like(base, 0.2))
    for name, tensor in expected.items():
        np.testing.assert_allclose(stable.tensors[name], tensor, rtol=1e-6)
    assert stable.manifest.parents == (base.digest,)
    assert (stable.manifest.version, stable.manifest.contributors) == (2, 2)
    assert hall.version("stable").digest == hall.version("candidate").digest == done.candidate


def test_a_campaign_runs_its_rounds_and_ends(collecting: Collecting) -> None:
    hall = collecting.hall
    for number in range(3):
        bring(collecting.robots, number)
        hall.turn()
    campaign = hall.campaign(collecting.campaign_id)
    assert campaign.state == "finished"
    assert [each.state for each in campaign.rounds] == ["published"] * 3
    assert hall.version("stable").version == 4
    assert collecting.robots[0].assignment() is None


def test_the_learning_rate_falls_to_its_end(collecting: Collecting) -> None:
    rates = []
    for number in range(3):
        work = collecting.robots[0].assignment()
        assert work is not None
        rates.append(work.learning_rate)
        bring(collecting.robots, number)
        collecting.hall.turn()
    assert rates == pytest.approx([1e-3, 5.5e-4, 1e-4])


def test_a_worse_candidate_is_kept_but_not_published(collecting: Collecting) -> None:
    hall = collecting.hall
    hall.gate.scores[2] = 0.1
    bring(collecting.robots, 0)
    hall.turn()
    assert hall.round(collecting.work.round_id).state == "rejected"
    assert hall.version("stable").version == 1
    assert hall.version("candidate").version == 2
    again = collecting.robots[0].assignment()
    assert again is not None
    assert (again.number, again.base.digest) == (2, collecting.base.digest)


def test_the_version_to_start_from_is_measured_before_anybody_trains(collecting: Collecting) -> None:
    score = collecting.hall.version(1).score
    assert score is not None
    assert score.score == 0.5
    assert collecting.hall.gate.asked == [(1, None)]


def test_a_gate_that_cannot_work_ends_the_campaign_before_anybody_trains(hall: Hall) -> None:
    hall.gate.error = ContractError("no task reach here.", remedy="Install it.")
    ok(hall.publish(tiny_skill()))
    campaign_id = hall.start()
    hall.turn()
    campaign = hall.campaign(campaign_id)
    assert (campaign.state, campaign.rounds) == ("failed", ())
    assert "no task reach here" in campaign.reason


def test_the_deadline_closes_a_round_that_has_its_quorum(collecting: Collecting) -> None:
    third = collecting.hall.enrol("secret name", "iiwa")
    assert third.assignment() is not None
    bring(collecting.robots, 0)
    collecting.hall.turn()
    waiting = collecting.hall.round(collecting.work.round_id)
    assert waiting.state == "open"
    assert "(iiwa)" in waiting.waiting_for
    collecting.hall.clock.advance(61)
    assert "the round is to be closed" in collecting.hall.round(collecting.work.round_id).waiting_for
    collecting.hall.turn()
    closed = collecting.hall.round(collecting.work.round_id)
    assert (closed.state, closed.metrics["missing"]) == ("published", 1)
    heard = collecting.hall.services.events.log.after(0, THE_HUB)
    reasons = [event.data.get("reason") for event in heard.events]
    assert "Closed at the deadline without robots (iiwa)." in reasons


def test_a_robot_that_is_silent_is_waited_for_until_the_deadline_and_said_to_be(hall: Hall) -> None:
    ok(hall.publish(tiny_skill()))
    robots = (hall.enrol("one"), hall.enrol("two", "iiwa"))
    campaign = hall.start(deadline_seconds=600, quorum=1)
    assert "is being measured; it waits for a process" in hall.campaign(campaign).waiting_for
    hall.turn()
    assert all(robot.assignment() for robot in robots)
    hall.clock.advance(300)
    bring(robots[:1], 0)
    hall.turn()
    waiting = hall.campaign(campaign)
    assert waiting.waiting_for == waiting.rounds[0].waiting_for
    assert "1 of 2 deltas; waiting for robots (iiwa, silent for 5 min), at most 5 min" in waiting.waiting_for
    bring(robots[1:], 1)  # it comes back
    hall.turn()
    assert hall.campaign(campaign).rounds[0].state == "published"


def test_a_round_without_quorum_fails_with_words_and_the_next_one_opens(collecting: Collecting) -> None:
    hall = collecting.hall
    bring(collecting.robots[:1], 0)
    hall.clock.advance(61)
    hall.turn()
    failed, following = hall.campaign(collecting.campaign_id).rounds
    assert (failed.state, following.state) == ("failed", "open")
    assert "1 of 2" in failed.waiting_for


def test_rounds_that_fail_in_a_row_end_the_campaign(hall: Hall) -> None:
    ok(hall.publish(tiny_skill()))
    campaign_id = hall.start(rounds=10)
    for _ in range(4):
        hall.turn()
        hall.clock.advance(61)
    campaign = hall.campaign(campaign_id)
    assert (campaign.state, len(campaign.rounds)) == ("failed", 3)
    assert "by the deadline" in campaign.reason


def test_a_target_closes_the_round_without_the_others(hall: Hall) -> None:
    ok(hall.publish(tiny_skill()))
    robots = tuple(hall.enrol(name) for name in ("one", "two", "three"))
    hall.start(quorum=1, target=2)
    hall.turn()
    assert all(robot.assignment() for robot in robots)
    bring(robots[:2], 0)
    hall.turn()
    assert robots[2].assignment() is not None
    assert hall.version("stable").version == 2


def test_a_robot_that_went_away_is_not_waited_for(hall: Hall) -> None:
    ok(hall.publish(tiny_skill()))
    robots = tuple(hall.enrol(name) for name in ("one", "two", "three"))
    assert robots[2].assignment() is None
    hall.clock.advance(121)
    hall.start()
    hall.turn()
    bring(robots[:2], 0)
    hall.turn()
    assert hall.version("stable").version == 2


def test_a_stopped_campaign_asks_nothing_and_publishes_nothing(collecting: Collecting) -> None:
    hall = collecting.hall
    bring(collecting.robots, 0)
    ok(hall.post(f"/campaigns/{collecting.campaign_id}/stop"))
    hall.turn()
    assert hall.campaign(collecting.campaign_id).state == "stopped"
    assert hall.version("stable").version == 1
    assert collecting.robots[0].assignment() is None


def test_momentum_carries_over_from_published_rounds_only(collecting: Collecting) -> None:
    hall, base = collecting.hall, collecting.base
    hall.gate.scores[3] = 0.0
    for _ in range(3):
        for robot in collecting.robots:
            work = robot.assignment()
            assert work is not None
            ok(robot.push(work.round_id, robot.delta(work, tensors_like(base, 0.1))))
        hall.turn()
    weights = [hall.skill(version).tensors["log_std"][0] for version in (1, 2, 3, 4)]
    steps = np.diff(weights)
    np.testing.assert_allclose(steps[0], 0.1, rtol=1e-5)
    np.testing.assert_allclose(steps[1], 0.15, rtol=1e-5)
    # v3 was refused: v4 starts again from v2 and its momentum, and comes to the same place.
    assert hall.skill(4).manifest.parents == (hall.skill(2).digest,)
    assert weights[3] == weights[2]


def test_small_losses_do_not_add_up(collecting: Collecting) -> None:
    hall = collecting.hall
    hall.gate.scores = {2: 0.9, 3: 0.85, 4: 0.8}
    for number in range(3):
        bring(collecting.robots, number)
        hall.turn()
    rounds = hall.campaign(collecting.campaign_id).rounds
    assert [each.state for each in rounds] == ["published", "published", "rejected"]
    # v4 is hardly worse than v3, which is stable, and too much worse than v2, from which v3 came.
    assert hall.gate.asked[-2:] == [(4, 3), (4, 2)]
    assert rounds[2].gate is not None
    assert "best version so far" in rounds[2].gate.reason


def test_what_an_operator_went_back_from_is_no_yardstick(collecting: Collecting) -> None:
    hall = collecting.hall
    hall.gate.scores = {1: 0.6, 2: 0.9, 3: 0.6}
    bring(collecting.robots, 0)
    hall.turn()
    assert hall.version("stable").version == 2
    hall.release(1, reason="v2 is too fast for our cells")
    bring(collecting.robots, 1)  # the open round began from v2
    hall.turn()
    assert hall.version("stable").version == 3
    assert hall.gate.asked[-1] == (3, 1)


def test_the_sample_cap_bounds_a_robots_weight(hall: Hall) -> None:
    base = tiny_skill()
    ok(hall.publish(base))
    robots = (hall.enrol("one"), hall.enrol("two"))
    hall.start(merge={"sample_cap": 300, "momentum": 0.0, "step": 1.0})
    hall.turn()
    for robot, fill, samples in zip(robots, (0.0, 0.4), (100, 10**9), strict=True):
        work = robot.assignment()
        assert work is not None
        ok(robot.push(work.round_id, robot.delta(work, tensors_like(base, fill), samples=samples)))
    hall.turn()
    step = hall.skill(2).tensors["log_std"] - base.tensors["log_std"]
    np.testing.assert_allclose(step, 0.3, rtol=1e-5)


def test_a_boaster_among_three_honest_robots_has_one_part_in_four(hall: Hall) -> None:
    base = tiny_skill()
    ok(hall.publish(base))
    robots = [hall.enrol(name) for name in ("one", "two", "three", "boaster")]
    training = {"iterations": 2, "learner": {"algorithm": "ppo", "batch": 500}}
    hall.start(target=4, training=training, merge={"momentum": 0.0, "step": 1.0})
    hall.turn()
    # The honest ones lost some steps to resets, each as many as it happened to be.
    for robot, samples in zip(robots, (990, 985, 1000, 10**12), strict=True):
        work = robot.assignment()
        assert work is not None
        learned = tensors_like(base, 0.4 if robot is robots[-1] else 0.0)
        ok(robot.push(work.round_id, robot.delta(work, learned, samples=samples)))
    hall.turn()
    step = hall.skill(2).tensors["log_std"] - base.tensors["log_std"]
    np.testing.assert_allclose(step, 0.4 / 4, rtol=1e-5)


def test_one_robot_cannot_send_the_next_round_into_wild_exploration(hall: Hall) -> None:
    base = tiny_skill()
    ok(hall.publish(base))
    robots = [hall.enrol(name) for name in ("one", "two", "three", "wild")]
    hall.start(target=4)
    hall.turn()
    for robot in robots:
        work = robot.assignment()
        assert work is not None
        learned = tensors_like(base, 0.01)
        learned["log_std"] += 20.0 if robot is robots[-1] else 0.0
        ok(robot.push(work.round_id, robot.delta(work, learned)))
    hall.turn()
    merged = hall.skill(2).tensors
    assert (merged["log_std"] == LOG_STD[1]).all()
    assert (merged["actor.0.bias"] > base.tensors["actor.0.bias"]).all()


def test_a_number_taken_by_an_upload_is_not_given_twice(collecting: Collecting) -> None:
    hall = collecting.hall
    ok(hall.publish(tiny_skill(version=2, seed=5)))
    bring(collecting.robots, 0)
    hall.turn()
    assert hall.version("stable").version == 3
    assert hall.version(3).parents == (collecting.base.digest,)


def test_merging_again_without_a_robot_equals_never_having_had_it(
    settings: Settings, clock: Hands, tmp_path: Path
) -> None:
    base = tiny_skill()
    with_three = Hall(settings, StubGate(), clock)
    ok(with_three.publish(base))
    robots = [with_three.enrol(name) for name in ("one", "two", "three")]
    with_three.start(quorum=2)
    with_three.turn()
    works = [work for work in (robot.assignment() for robot in robots) if work]
    datas = [robots[i].delta(works[i], random_tensors(base, i), samples=50 + 7 * i) for i in range(3)]
    for robot, work, data in zip(robots[:2], works[:2], datas[:2], strict=True):
        ok(robot.push(work.round_id, data))
    copy = settings.model_copy(update={"data_dir": Path(shutil.copytree(settings.data_dir, tmp_path / "b"))})
    ok(robots[2].push(works[2].round_id, datas[2]))
    with_three.turn()
    clock.advance(61)
    with_two = Hall(copy, StubGate(), clock)
    with_two.turn()

    shapes = base.manifest.network.shapes()
    opened = [EncodedDelta.from_bytes(data, shapes).tensors for data in datas[:2]]
    received = {
        digest_of(datas[i]): Received(50 + 7 * i, None, 1.0, 0, opened[i])
        for i in (1, 0)  # not in the order in which they came
    }
    again, state = BytesIO(), BytesIO()
    write_candidate(
        again,
        state,
        base,
        received,
        TrainingPlan(),
        MergePlan.model_validate(MERGE),
        version=2,
        round_id=works[0].round_id,
        optimiser_state=None,
        engine=choose_engine("cpu"),
    )
    assert digest_of(again.getvalue()) == with_two.skill(2).digest
    assert digest_of(again.getvalue()) != with_three.skill(2).digest
    for hall in (with_three, with_two):
        hall.close()


def test_a_refused_delta_leaves_no_trace_in_the_result(
    settings: Settings, clock: Hands, tmp_path: Path
) -> None:
    base = tiny_skill()
    hall = Hall(settings, StubGate(), clock)
    ok(hall.publish(base))
    robots = (hall.enrol("one"), hall.enrol("two"))
    hall.start()
    hall.turn()
    works = [work for work in (robot.assignment() for robot in robots) if work]
    datas = [robots[i].delta(works[i], random_tensors(base, i)) for i in range(2)]
    copy = settings.model_copy(update={"data_dir": Path(shutil.copytree(settings.data_dir, tmp_path / "b"))})
    for tensors in (tensors_like(base, 1e4), {"log_std": np.zeros(2)}):
        assert robots[0].push(works[0].round_id, robots[0].delta(works[0], tensors)).status_code == 422
    results = []
    for each in (hall, Hall(copy, StubGate(), clock)):
        for robot, work, data in zip(robots, works, datas, strict=True):
            clock.advance(1)
            again = Robot(each.client, clock, robot.robot_id, robot.key, first_nonce=100)
            ok(again.push(work.round_id, data))
        each.turn()
        results.append(each.skill(2).digest)
        each.close()
    assert results[0] == results[1]


def test_a_blob_that_is_lost_fails_the_round_with_words(collecting: Collecting) -> None:
    hall = collecting.hall
    bring(collecting.robots, 0)
    for path in (hall.settings.data_dir / "blobs").rglob("*"):
        if path.is_file() and path.name != collecting.base.digest[9:]:
            path.unlink()
    hall.turn()
    failed = hall.campaign(collecting.campaign_id).rounds[0]
    assert failed.state == "failed"
    assert "no blob" in failed.waiting_for


def test_a_store_that_does_not_answer_is_waited_for(
    collecting: Collecting, monkeypatch: pytest.MonkeyPatch
) -> None:
    hall = collecting.hall
    bring(collecting.robots, 0)

    def fail(*_: object) -> None:
        raise StoreError("the store is asleep.")

    with monkeypatch.context() as patch:
        patch.setattr(hall.services.storage.store, "put_file", fail)
        hall.turn()
        waiting = hall.round(collecting.work.round_id)
        assert waiting.state == "merging"
        assert "that waits: the store is asleep." in waiting.waiting_for
    hall.turn()
    assert hall.round(collecting.work.round_id).state == "merging"  # it was only just tried
    hall.clock.advance(2)
    hall.turn()
    assert hall.round(collecting.work.round_id).state == "published"
