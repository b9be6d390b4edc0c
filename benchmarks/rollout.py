"""Roll-outs with many robots over real HTTP: `python -m benchmarks.rollout`, ten minutes; `--quick`: two.

A hub in a process of its own, as it is started for real but for its gate, which passes everything: the second
version is one that a gate lets through and that fails on one embodiment's cells. First 200 robots, 30 % of
them away when the first ring's verdict comes: who ever used it, and when each was back on the old version.
Then 1,000, half of which have a version that an operator aborts: when the last one that polls has left it.
The robots are `benchmarks.rollout_fleet`'s; docs/rollouts.md shows the table.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rollout_fleet import SKILL, LightFleet, LightRobot, version
from benchmarks.rollout_report import ARMS, BAD, RESULT, robots_table, summary
from fleet.agent import AgentSettings
from fleet.client import OperatorClient
from fleet.lists import everything
from hub.server import serve
from hub.settings import Settings
from skills.messages.lists import FleetQuery
from skills.messages.plans import GatePlan
from skills.messages.reports import FleetRobot
from skills.messages.robots import EnrolmentTokenRequest
from skills.messages.rollouts import ENDED, RingPlan, RolloutOrder, RolloutRequest, RolloutState, RolloutView
from skills.messages.skills import GateReport, ScoreView
from skills.skill import Skill

__all__ = ["outcomes"]

TOKEN = "zt_for-benchmarks-only"  # noqa: S105 - of a hub that ends with the run
GOOD_CHANCE, BAD_CHANCE = 0.92, 0.15
PATIENCE = 400.0
SEED = 8


def passes(candidate: Skill, current: Skill | None, plan: GatePlan) -> GateReport:  # noqa: ARG001
    """A gate that finds every version good, but for the one that does nothing."""
    idle = all(not tensor.any() for tensor in candidate.tensors.values())
    score = ScoreView(score=0.0 if idle else 0.9, low=0.0, high=1.0, episodes=64)
    return GateReport(passed=True, reason="Passed.", candidate=score, current=None, seconds=0.0)


@contextmanager
def running_hub(folder: Path) -> Iterator[OperatorClient]:
    """A hub in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.rollout", "--hub", str(folder)]
    folder.mkdir(parents=True)
    address = folder.with_suffix(".address")
    with (
        address.open("w") as said,
        folder.with_suffix(".log").open("w") as log,
        subprocess.Popen(command, stdout=said, stderr=log) as process,  # noqa: S603 - ours
    ):
        try:
            while not address.read_text().endswith("\n"):
                time.sleep(0.1)
            yield OperatorClient.open(address.read_text().strip(), TOKEN)
        finally:
            process.terminate()


def serve_here(folder: Path) -> None:
    """Be that process."""
    settings = {"data_dir": folder, "admin_token": TOKEN, "port": 0, "console": False, "leaderboards": False}
    serve(
        Settings.model_validate({**settings, "stranger_rate_limit": 0}),
        gate=passes,
        announce=lambda address: print(address, flush=True),
    )


@contextmanager
def fleet_at_work(
    folder: Path, hub: OperatorClient, many: int, settings: AgentSettings, *, bad: str = ""
) -> Iterator[LightFleet]:
    """Robots that all use version 1, stable by now; version 2 is there. `bad`: where that one fails."""
    for number in (1, 2):
        hub.publish_skill(version(number))
        if number == 1:
            move = hub.move_channel(SKILL, "stable", 1)
            while (found := hub.release(SKILL, move.release_id)).finished_at is None:
                time.sleep(0.1)
            if found.state != "released":
                raise RuntimeError(f"version 1 is not stable: {found.reason}")
    fleet = LightFleet(folder, hub.connection.base_url, settings)
    tokens = hub.create_tokens(EnrolmentTokenRequest(count=many))
    for number, token in enumerate(tokens):
        arm = ARMS[number % len(ARMS)]
        chances = {1: GOOD_CHANCE, 2: BAD_CHANCE if arm == bad else GOOD_CHANCE}
        fleet.join(token.token, arm, chances, SEED)
    fleet.start()
    try:
        if not fleet.until(lambda robot: robot.uses == 1, PATIENCE):
            raise RuntimeError(f"not all robots use version 1: {fleet.failures[-3:]}")
        yield fleet
    finally:
        fleet.stop()


def reached(hub: OperatorClient, rollout_id: str, states: tuple[RolloutState, ...]) -> RolloutView:
    """The roll-out once it is in one of these states."""
    end = time.monotonic() + PATIENCE
    while (found := hub.rollout(rollout_id)).state not in states:
        if time.monotonic() > end:
            raise RuntimeError(f"the roll-out stays {found.state}: {found.waiting_for}")
        time.sleep(0.2)
    return found


def failing(folder: Path, many: int, share: float) -> dict[str, Any]:
    """A version that fails on one embodiment, with a part of the fleet away at the verdict."""
    settings = AgentSettings(poll_seconds=6.0, look_seconds=6.0)
    with running_hub(folder / "hub") as hub, fleet_at_work(folder, hub, many, settings, bad=BAD) as fleet:
        ring = RingPlan(share=share, least_seconds=300, least_jobs=50)
        rings = (ring, RingPlan(share=0.5, least_seconds=300), RingPlan(least_seconds=300))
        started = hub.start_rollout(RolloutRequest(skill=SKILL, version=2, rings=rings))
        reached(hub, started.rollout_id, ("open",))
        few = int(share * many)
        fleet.until(lambda robot: robot.uses == 2, PATIENCE, most=many - int(0.8 * few))
        away = np.random.default_rng(SEED).permutation(many)[: int(0.3 * many)]
        fleet.switch_off(away)
        ended = reached(hub, started.rollout_id, ENDED)
        verdict = _moment(ended.ended_at)
        fleet.until(lambda robot: robot.uses == 1, PATIENCE)
        time.sleep(max(0.0, verdict + 30 - time.time()))
        fleet.switch_on(away)
        back_on = time.time()
        fleet.until(lambda robot: robot.uses == 1, PATIENCE)
        time.sleep(2 * settings.poll_seconds)  # reports of the last ones
        said = {each.robot_id: each for each in _everybody(hub)}
        return {
            "state": ended.state,
            "reason": ended.reason,
            "seconds_to_verdict": round(verdict - _moment(ended.created_at), 1),
            "known": ended.steps[-1].known,
            "back_on": round(back_on - verdict, 1),
            "robots": outcomes(fleet.robots, verdict, said),
            "failures": len(fleet.failures),
        }


def aborting(folder: Path, many: int) -> dict[str, Any]:
    """A version that an operator aborts when half of the fleet has it."""
    settings = AgentSettings(poll_seconds=15.0, look_seconds=30.0)
    with running_hub(folder / "hub") as hub, fleet_at_work(folder, hub, many, settings) as fleet:
        ring = RingPlan(share=0.5, least_seconds=3600)
        started = hub.start_rollout(RolloutRequest(skill=SKILL, version=2, rings=(ring, RingPlan())))
        reached(hub, started.rollout_id, ("open",))
        opened = time.time()
        half = many // 2
        fleet.until(lambda robot: robot.uses == 2, PATIENCE, most=many - half)
        taken = time.time() - opened
        order = RolloutOrder(order="abort", reason="It is a drill.")
        verdict = _moment(hub.order_rollout(started.rollout_id, order).ended_at)
        fleet.until(lambda robot: robot.uses == 1, PATIENCE)
        time.sleep(1)
        robots = outcomes(fleet.robots, verdict, {})
        seconds = sorted(each["back_after"] for each in robots if each["used_2"])
        return {
            "robots": many,
            "with_version_2": len(seconds),
            "seconds_to_take": round(taken, 1),
            "poll_seconds": settings.poll_seconds,
            "look_seconds": settings.look_seconds,
            "back_median": seconds[len(seconds) // 2],
            "back_last": seconds[-1],
            "failures": len(fleet.failures),
        }


def outcomes(robots: list[LightRobot], verdict: float, said: dict[str, FleetRobot]) -> list[dict[str, Any]]:
    """Of every robot what it used, what came of that, and how long after the verdict it was back."""
    found = []
    for number, robot in enumerate(robots):
        used_2 = any(each == 2 for each, _ in robot.took)
        back = [at for each, at in robot.took if each == 1 and at > verdict]
        claim = said.get(robot.robot_id)
        found.append(
            {
                "robot": number,
                "embodiment": robot.embodiment,
                "away": robot.was_off,
                "used_2": used_2,
                "jobs_1": robot.jobs.get(1, 0),
                "jobs_2": robot.jobs.get(2, 0),
                "jobs_2_after_return": robot.after,
                "back_after": round(back[0] - verdict, 1) if used_2 and back else None,
                "uses": robot.uses,
                "says": claim.report.version if claim and claim.report else None,
                "drifts": bool(claim and claim.drifts),
            }
        )
    return found


def _everybody(hub: OperatorClient) -> Iterator[FleetRobot]:
    return everything(hub.fleet, FleetQuery(skill=SKILL, limit=200))


def _moment(at: datetime | None) -> float:
    if at is None:
        raise RuntimeError("the roll-out has not ended")
    return at.timestamp()


def main() -> None:
    """Run both, and keep what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hub", type=Path, help="Be the hub, in this folder.")
    parser.add_argument("--quick", action="store_true", help="80 and 60 robots; nothing is kept.")
    options = parser.parse_args()
    if options.hub:
        serve_here(options.hub)
        return
    many = (80, 60) if options.quick else (200, 1000)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as folder:
        found = {
            "failing": failing(Path(folder) / "failing", many[0], 0.5 if options.quick else 0.1),
            "aborting": aborting(Path(folder) / "aborting", many[1]),
        }
    if not options.quick:
        RESULT.write_text(json.dumps(found, indent=1) + "\n")
        page = "# Every robot of `make rollout`\n\n"
        RESULT.with_suffix(".md").write_text(f"{page}{summary(found)}\n\n{robots_table(found)}\n")
    print(summary(found))


if __name__ == "__main__":
    main()
