"""A hub that forgot a robot has, bit for bit, the weights of a hub to which it never brought anything."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import make_transient

from hub.settings import Settings
from hub.storage.tables.rounds import DeltaRow, RoundRow
from skills.skill import Skill
from tests.hub.conftest import ADMIN, Hall, Hands, Robot, asked_tensors, ok, tiny_skill
from tests.hub.withdrawals.guild import BASE, GrowingGate, forget

PLANS: dict[str, dict[str, Any]] = {
    "mean": {"momentum": 0.5},
    "trimmed": {"rule": "trimmed-mean", "options": {"trim": 0.34, "byzantine": 1}, "mixing": True},
    "krum": {"rule": "krum", "options": {"byzantine": 1}, "optimiser": "adam"},
    "middle": {"rule": "geometric-median", "optimiser": "adam", "clip": 2.0},
    "trust": {"rule": "fltrust", "optimiser": "yogi"},
    "dare": {"rule": "dare", "options": {"seed": 3}, "momentum": 0.9},
    "late": {"momentum": 0.5, "max_staleness": 1},
    "unlike": {"momentum": 0.5, "step": 3.0},
    "hanging": {"rule": "trimmed-mean", "options": {"trim": 0.2}, "optimiser": "adam"},
    "taught": {"momentum": 0.5},
    "factors": {"rule": "geometric-median", "clip": 2.0},
    "frozen": {"max_staleness": 1},
}
TAUGHT = {"variates": True, "moments": True, "learner": {"algorithm": "imitation"}}
ORDERS: dict[str, dict[str, Any]] = {
    "unlike": {"training": {"variates": True, "share": "policy"}},
    "hanging": {"training": {"variates": True, "moments": True}},
    "factors": {"training": {"low_rank": {"rank": 1}, "clip_norm": 1000}},
    "frozen": {"training": {"low_rank": {"rank": 1, "frozen_a": True}, "clip_norm": 1000}},
    "taught": {"rounds": 1, "training": TAUGHT, "then": [{"rounds": 1, "training": {"variates": True}}]},
}
ROUNDS = 2
CODECS = ("raw", "fp16", "int8+zstd")


def open_hall(folder: Path, clock: Hands) -> Hall:
    settings = {"data_dir": folder, "admin_token": ADMIN, "console": False}
    return Hall(Settings.model_validate(settings), GrowingGate(), clock)


def start(folder: Path, clock: Hands) -> tuple[list[Robot], dict[str, str]]:
    """Five robots and another, and a campaign for each plan, which is open: the same for both hubs."""
    hall = open_hall(folder, clock)
    robots = [hall.enrol(f"robot {number}") for number in range(6)]
    campaigns = {}
    for name, plan in PLANS.items():
        ok(hall.publish(tiny_skill(name=name)))
        order = {
            "rounds": ROUNDS,
            "quorum": 3 if name == "late" else 5,
            "merge": plan,
            **ORDERS.get(name, {}),
        }
        campaigns[name] = hall.start(skill=name, target=0, deadline_seconds=60, **order)
    hall.turn()
    hall.close()
    return robots, campaigns


def live(hall: Hall, robots: list[Robot]) -> None:
    """Everybody brings deltas to all rounds; in `late`, the last robot always comes a round too late."""
    owed = None
    for number in range(ROUNDS):
        for name in PLANS:
            for seed, robot in enumerate(robots):
                work = robot.assignment(name)
                assert work is not None
                tensors = asked_tensors(BASE, work.training, 1000 * number + seed)
                changes = {"codec": CODECS[seed % 3], "samples": 100 + 50 * seed}
                data = robot.delta(work, tensors, **changes)
                if name != "late" or robot is not robots[-1]:
                    ok(robot.push(work.round_id, data))
                    continue
                if owed is not None:
                    assert ok(robot.push(*owed)).json()["staleness"] == 1
                owed = (work.round_id, data)
        hall.clock.advance(61)
        hall.turn()


def live_without(hall: Hall, other: Hall, absent: Robot, start_at: Hands) -> None:
    """The same rounds with the very deltas of the others, as rows and files."""
    for number in range(1, ROUNDS + 1):
        for row in deltas_of(other, number, absent):
            hall.services.storage.store.put(row.digest, other.services.storage.store.get(row.digest))
            with hall.services.storage.database.write() as session:
                make_transient(row)
                session.add(row)
        start_at.advance(61)
        hall.turn()


def deltas_of(hall: Hall, number: int, absent: Robot) -> Iterable[DeltaRow]:
    with hall.services.storage.database.read() as session:
        others = DeltaRow.robot_id != absent.robot_id, RoundRow.number == number
        joined = select(DeltaRow).join(RoundRow, RoundRow.round_id == DeltaRow.round_id)
        return session.scalars(joined.where(*others)).all()


def test_forgetting_is_as_if_it_had_never_been_there(tmp_path: Path) -> None:
    clock, later = Hands(), Hands()
    robots, campaigns = start(tmp_path / "start", clock)
    shutil.copytree(tmp_path / "start", tmp_path / "without")
    hall, without = open_hall(tmp_path / "start", clock), open_hall(tmp_path / "without", later)
    robots = [Robot(hall.client, clock, robot.robot_id, robot.key, 1000) for robot in robots]
    live(hall, robots)
    live_without(without, hall, robots[0], later)
    found = forget(hall, robots[0])
    assert (found.state, found.deltas) == ("done", ROUNDS * len(PLANS))
    for name, campaign_id in campaigns.items():
        assert hall.version("stable", name).version == 1 + 2 * ROUNDS, name
        assert without.version("stable", name).version == 1 + ROUNDS, name
        for number in range(1, ROUNDS + 1):
            mine, theirs = (of_round(each, f"{campaign_id}-{number}") for each in (hall, without))
            assert mine == theirs, (name, number)
    hall.close()
    without.close()


def of_round(hall: Hall, round_id: str) -> dict[str, Any]:
    """All that may not depend on who was there before: weights, optimiser's state, trust, figures."""
    with hall.services.storage.database.read() as session:
        row = session.get_one(RoundRow, round_id)
    assert row.candidate is not None
    skill = Skill.from_bytes(hall.services.storage.store.get(row.candidate))
    of_merge = ("norm", "cosine", "success")
    figures = {name: row.metrics[name] for name in of_merge}
    return {
        "tensors": {name: tensor.tobytes() for name, tensor in skill.tensors.items()},
        "state": row.optimiser_after,
        "root": row.root,
        "figures": figures,
        "contributors": (skill.manifest.contributors, skill.manifest.samples),
        "numbered": row.state,
    }
