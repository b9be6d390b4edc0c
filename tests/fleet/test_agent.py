from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fleet.agent import AgentSettings, take_turns
from fleet.robot_folder import RobotFolder
from skills.errors import ConflictError, UnauthorizedError
from skills.manifest import Channel
from skills.messages.base import ErrorDetail
from tests.fleet.lying_hub import LyingHub
from tests.fleet.small_robot import CONTRACT, STEPS, SmallRobot, make_robot, small_skill
from tests.signed_guild import SignedGuild, online_of, root_of

SLOT = "r-anna round-1"


def test_a_round_is_pulled_trained_and_pushed_in_one_step(hub: LyingHub, robot: SmallRobot) -> None:
    hub.order(1)
    assert robot.agent.step() == 0
    assert robot.phases == ["pulling", "training", "training", "training", "training", "kept", "pushed"]
    delta = hub.delta(SLOT)
    assert delta.header.base == hub.versions[1].digest
    assert all((tensor == robot.place.step).all() for tensor in delta.tensors.values())
    assert robot.bench.pending() is None


def test_progress_counts_iterations_steps_and_bytes(hub: LyingHub, robot: SmallRobot) -> None:
    hub.order(1)
    robot.agent.step()
    last = robot.said[-1]
    assert [p.iteration for p in robot.said if p.phase == "training"] == [0, 1, 2, 3]
    assert last.steps == 3 * STEPS
    assert last.sent > len(hub.deltas[SLOT])
    assert last.received > hub.versions[1].size


def test_the_base_is_fetched_once_for_many_rounds(hub: LyingHub, robot: SmallRobot) -> None:
    for number in (1, 2, 3):
        hub.order(number)
        robot.agent.step()
    assert len(hub.deltas) == 3
    assert sum("/file" in request for request in hub.requests) == 1


def test_work_is_kept_while_the_hub_is_away_and_pushed_once_when_it_is_back(
    hub: LyingHub, robot: SmallRobot
) -> None:
    hub.order(1)
    hub.faults.append(("/deltas", "503"))
    assert robot.agent.step() > 0
    hub.down = True
    assert [robot.agent.step() > 0 for _ in range(5)] == [True] * 5
    assert robot.bench.pending() is not None
    hub.down = False
    while robot.agent.step() == 0:
        pass
    assert (hub.pushes, robot.place.trained) == (1, ["round-1"])
    assert SLOT in hub.deltas


def test_a_hub_that_is_busy_is_left_alone_as_long_as_it_says(hub: LyingHub, robot: SmallRobot) -> None:
    hub.order(1)
    hub.faults.append(("/deltas", "busy"))
    assert 40 <= robot.agent.step() < 60
    assert robot.phases[-1] == "offline"
    robot.agent.step()
    assert SLOT in hub.deltas


def test_pauses_grow_while_the_hub_is_away_and_start_anew_when_it_answers(
    hub: LyingHub, robot: SmallRobot
) -> None:
    hub.down = True
    pauses = [robot.agent.step() for _ in range(30)]
    assert np.mean(pauses[-10:]) > 10 * np.mean(pauses[:3])
    hub.down = False
    robot.agent.step()
    hub.down = True
    assert robot.agent.step() <= 1


def test_a_lost_acknowledgement_counts_the_work_once(hub: LyingHub, robot: SmallRobot) -> None:
    hub.order(1)
    hub.faults.append(("/deltas", "lose answer"))
    assert robot.agent.step() > 0
    sent = hub.deltas[SLOT]
    robot.agent.step()
    assert robot.said[-1].text == "duplicate"
    assert hub.deltas == {SLOT: sent}
    assert robot.place.trained == ["round-1"]


def test_work_for_a_round_that_is_over_is_dropped_and_the_next_one_done(
    hub: LyingHub, robot: SmallRobot
) -> None:
    hub.order(1)
    hub.faults.append(("/deltas", "503"))
    robot.agent.step()
    hub.order(2)
    robot.agent.step()
    assert (robot.said[-1].phase, robot.said[-1].text) == (
        "dropped",
        "round 1 is over, the hub is at round 2.",
    )
    robot.agent.step()
    assert list(hub.deltas) == ["r-anna round-2"]


def test_late_work_is_handed_in_where_the_hub_still_takes_it(hub: LyingHub, robot: SmallRobot) -> None:
    hub.order(1)
    hub.faults.append(("/deltas", "503"))
    robot.agent.step()
    hub.assignment = hub.order(2).model_copy(update={"max_staleness": 1})
    robot.agent.step()
    assert list(hub.deltas) == [SLOT]
    assert robot.place.trained == ["round-1"]


def test_work_that_the_hub_refuses_is_dropped_with_its_words_and_not_done_again(
    hub: LyingHub, robot: SmallRobot
) -> None:
    hub.order(1)
    hub.refusal = ErrorDetail(code="conflict", message="the round is closed.")
    robot.agent.step()
    assert robot.said[-1].phase == "dropped"
    assert "the round is closed." in robot.said[-1].text
    assert robot.agent.step() > 0
    assert (hub.pushes, robot.place.trained) == (1, ["round-1"])


def test_a_robot_that_the_hub_does_not_know_stops_and_keeps_its_work(
    hub: LyingHub, robot: SmallRobot
) -> None:
    hub.order(1)
    hub.refusal = ErrorDetail(code="unauthorized", message="who is this?")
    with pytest.raises(UnauthorizedError, match="who is this"):
        robot.agent.step()
    assert robot.bench.pending() is not None


def test_a_base_with_a_flipped_bit_is_not_trained_from_but_fetched_again(
    hub: LyingHub, robot: SmallRobot
) -> None:
    hub.order(1)
    hub.faults.append(("/file", "wrong file"))
    assert robot.agent.step() > 0
    assert robot.phases == ["pulling", "refused"]
    assert "digest" in robot.said[-1].text
    assert not robot.place.trained
    assert robot.agent.step() == 0
    assert SLOT in hub.deltas


def test_a_base_that_another_key_signed_is_not_trained_from(hub: LyingHub, robot: SmallRobot) -> None:
    hub.publish(small_skill(2))
    hub.guild.online = online_of(99)
    hub.order(1)
    assert [robot.agent.step() > 0 for _ in range(3)] == [True] * 3
    assert "not what the guild signed" in robot.said[-1].text
    assert not robot.place.trained


def test_a_base_for_another_contract_is_not_trained_from(hub: LyingHub, robot: SmallRobot) -> None:
    other = CONTRACT.model_copy(
        update={"observation": (*CONTRACT.observation, Channel(name="force", size=1, unit="N", scale=1))}
    )
    hub.publish(small_skill(2, contract=other))
    hub.order(1)
    robot.agent.step()
    assert "force" in robot.said[-1].text
    assert not robot.place.trained


def test_a_download_that_breaks_off_goes_on_from_there(hub: LyingHub, robot: SmallRobot) -> None:
    hub.order(1)
    hub.faults.append(("/file", "break off"))
    assert robot.agent.step() > 0
    assert robot.agent.step() == 0
    assert SLOT in hub.deltas
    assert hub.ranges == ["", f"bytes={hub.versions[1].size // 2}-"]


def test_training_that_diverges_is_reported_and_the_next_round_tried(
    hub: LyingHub, robot: SmallRobot
) -> None:
    robot.place.step = float("nan")
    hub.order(1)
    robot.agent.step()
    assert robot.said[-1].phase == "failed"
    assert "NaN" in robot.said[-1].text
    robot.place.step = 0.5
    hub.order(2)
    robot.agent.step()
    assert list(hub.deltas) == ["r-anna round-2"]


def test_a_stop_takes_effect_between_two_iterations(hub: LyingHub, tmp_path: Path) -> None:
    hub.publish(small_skill())
    hub.order(1)
    stops: list[bool] = []
    robot = make_robot(
        tmp_path,
        hub.url,
        listen=lambda progress: stops.append(True) if progress.iteration == 1 else None,
        stopped=lambda: bool(stops),
    )
    take_turns([robot.agent], lambda: bool(stops), lambda _: None)
    assert [p.iteration for p in robot.said if p.phase == "training"] == [0, 1]
    assert not hub.deltas


def test_robots_take_turns_and_a_waiting_one_holds_nobody_up(hub: LyingHub, tmp_path: Path) -> None:
    hub.publish(small_skill())
    hub.order(1)
    robots = [
        make_robot(tmp_path / name, hub.url, name=name, settings=AgentSettings(adopts=False))
        for name in ("anna", "ben")
    ]
    now, naps = 0.0, []

    def sleep(seconds: float) -> None:
        nonlocal now
        naps.append(seconds)
        now += seconds
        if seconds and len(hub.deltas) == 2:
            hub.order(2)

    take_turns([robot.agent for robot in robots], lambda: len(hub.deltas) == 4, sleep, timer=lambda: now)
    assert [robot.place.trained for robot in robots] == [["round-1", "round-2"]] * 2
    assert max(naps) == AgentSettings.poll_seconds


def test_who_waits_hears_of_an_order_from_the_hub_and_sleeps_for_none(hub: LyingHub, tmp_path: Path) -> None:
    hub.publish(small_skill())
    robots = [
        make_robot(tmp_path / name, hub.url, name=name, settings=AgentSettings(adopts=False))
        for name in ("anna", "ben")
    ]
    agents = [robot.agent for robot in robots]
    naps: list[float] = []

    def hear(seconds: float) -> bool:
        assert 0 < seconds <= AgentSettings.poll_seconds
        hub.order(1)
        return True

    for agent in agents:
        agent.hears = hear  # type: ignore[method-assign]
    take_turns(agents, lambda: len(hub.deltas) == 2, naps.append, timer=lambda: 5.0)
    assert [robot.place.trained for robot in robots] == [["round-1"]] * 2
    assert not any(naps)


def test_a_question_that_is_held_is_answered_by_what_there_is(hub: LyingHub, robot: SmallRobot) -> None:
    assert not robot.agent.hears(0.5)
    hub.order(1)
    assert robot.agent.hears(0.5)
    hub.faults.append(("assignment", "503"))
    assert not robot.agent.hears(0.5)


def test_a_portal_between_robot_and_hub_loses_no_work(hub: LyingHub, robot: SmallRobot) -> None:
    hub.order(1)
    hub.faults.append(("/deltas", "portal"))
    assert robot.agent.step() > 0
    assert robot.bench.pending() is not None
    robot.agent.step()
    assert SLOT in hub.deltas


def test_a_robot_says_once_what_it_serves(hub: LyingHub, robot: SmallRobot) -> None:
    hub.faults.append(("/abilities", "503"))
    for _ in range(3):
        robot.agent.step()
    assert [each.contract for each in hub.abilities["r-anna"].abilities] == [CONTRACT]
    assert sum("/abilities" in request for request in hub.requests) == 2


@pytest.mark.parametrize("status", [404, 405, 413, 422])
def test_a_robot_works_for_a_hub_that_does_not_take_what_it_serves(
    hub: LyingHub, robot: SmallRobot, status: int
) -> None:
    hub.deaf = status
    hub.order(1)
    robot.agent.step()
    assert SLOT in hub.deltas


def test_a_damaged_cache_is_fetched_again(hub: LyingHub, robot: SmallRobot) -> None:
    hub.order(1)
    robot.agent.step()
    (file,) = (robot.bench.home / "skills").iterdir()
    file.write_bytes(file.read_bytes()[:-3])
    hub.order(2)
    robot.agent.step()
    assert sum("/file" in request for request in hub.requests) == 2
    assert len(hub.deltas) == 2


def test_a_damaged_owed_delta_is_trained_again_rather_than_pushed(hub: LyingHub, robot: SmallRobot) -> None:
    hub.order(1)
    hub.faults.append(("/deltas", "503"))
    robot.agent.step()
    (robot.bench.home / "pending.delta").write_bytes(b"half")
    robot.agent.step()
    assert robot.place.trained == ["round-1", "round-1"]
    assert SLOT in hub.deltas


def test_two_processes_never_run_one_robot(robot: SmallRobot) -> None:
    other = RobotFolder(robot.bench.home)
    with robot.bench.locked(), pytest.raises(ConflictError, match="another process"), other.locked():
        pass
    with other.locked():
        pass


def test_owed_work_and_the_folder_itself_are_for_the_owners_eyes_only(
    hub: LyingHub, robot: SmallRobot
) -> None:
    robot.bench.home.chmod(0o755)  # an owner may have made it
    hub.order(1)
    hub.faults.append(("/deltas", "503"))
    with robot.bench.locked():
        robot.agent.step()
    assert {"key.pem", "pending.delta"} <= {path.name for path in robot.bench.home.iterdir()}
    for path in (robot.bench.home, *robot.bench.home.glob("*.*")):
        assert path.name == ".lock" or path.stat().st_mode & 0o077 == 0, path


def test_no_document_of_a_robot_has_its_key(robot: SmallRobot) -> None:
    for file in robot.bench.home.glob("*.json"):
        assert "PRIVATE" not in file.read_text()


def run_doomed(home: Path, hub: LyingHub, phase: str, steps: int = 3) -> int:
    command = [sys.executable, "-m", "tests.fleet.doomed", str(home), hub.url, phase, str(steps)]
    return subprocess.run(command, check=False, timeout=60).returncode


@pytest.mark.parametrize("phase", ["pulling", "training", "kept", "pushed", "adopted"])
def test_a_robot_killed_at_any_point_goes_on_after_its_restart(
    hub: LyingHub, tmp_path: Path, phase: str
) -> None:
    hub.publish(small_skill())
    hub.order(1)
    assert run_doomed(tmp_path, hub, phase) == -signal.SIGKILL
    identity = RobotFolder(tmp_path).identity()
    assert run_doomed(tmp_path, hub, "never") == 0
    assert RobotFolder(tmp_path).identity() == identity
    assert list(hub.robots) == [identity.robot_id]
    assert list(hub.deltas) == [SLOT]
    assert hub.pushes == 1
    assert (tmp_path / "trained").read_text() == "round-1\n"
    memory = RobotFolder(tmp_path).memory("follow")
    assert memory.in_use is not None
    assert memory.in_use.version == 1
    assert not list(tmp_path.rglob(".*.skill.*"))


def test_a_root_of_trust_is_not_exchanged_when_the_hub_is(hub: LyingHub, robot: SmallRobot) -> None:
    hub.guild = SignedGuild(online=online_of(50), root_keys=root_of(60))
    hub.publish(small_skill(2))
    hub.order(1)
    robot.agent.step()
    assert robot.phases[-1] == "refused"
    assert not robot.place.trained


def test_what_training_keeps_goes_on_in_the_next_round_also_after_a_restart_and_is_never_sent(
    hub: LyingHub, tmp_path: Path
) -> None:
    hub.publish(small_skill())
    settings = AgentSettings(look_seconds=0, adopts=False)
    for number in (1, 2):
        robot = make_robot(tmp_path, hub.url, settings=settings)  # a new process each time
        hub.order(number)
        robot.agent.step()
        assert robot.bench.private("campaign")["rounds"].tolist() == [number]
    assert all(b"rounds" not in bytes(delta)[:4096] for delta in hub.deltas.values())
    assert (tmp_path / "private.tensors").stat().st_mode & 0o777 == 0o600


def test_another_campaign_begins_without_what_the_last_one_kept(hub: LyingHub, robot: SmallRobot) -> None:
    hub.order(1)
    robot.agent.step()
    hub.assignment = hub.order(2).model_copy(update={"campaign_id": "another"})
    robot.agent.step()
    assert robot.bench.private("campaign") == {}
    assert robot.bench.private("another")["rounds"].tolist() == [1]


def test_kept_state_that_is_damaged_is_left_aside(hub: LyingHub, robot: SmallRobot) -> None:
    hub.order(1)
    robot.agent.step()
    path = robot.bench.home / "private.tensors"
    path.write_bytes(path.read_bytes()[:-3])
    hub.order(2)
    robot.agent.step()
    assert robot.bench.private("campaign")["rounds"].tolist() == [1]
    assert "r-anna round-2" in hub.deltas
