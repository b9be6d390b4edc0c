"""Every version that a hub merged comes out again, bit for bit, from what it has kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from hub.operations.rebuild import Rebuilt, rebuild
from hub.settings import Settings
from hub.storage.tables.rounds import RoundRow
from skills.errors import NotFoundError
from skills.messages.plans import GatePlan
from skills.messages.skills import GateReport
from skills.skill import Skill
from tests.hub.conftest import Hall, Hands, Robot, StubGate, asked_tensors, ok, random_tensors, tiny_skill
from tests.hub.servers import postgres, s3_server

BASE = tiny_skill()
CODECS = ("raw", "fp16", "int8+zstd", "raw+zstd")
PLANS: list[dict[str, Any]] = [
    {"momentum": 0.5},
    {"momentum": 0.5, "rule": "trimmed-mean", "options": {"trim": 0.34, "byzantine": 1}, "mixing": True},
    {"optimiser": "adam", "rule": "geometric-median", "clip": 1.0},
    {"optimiser": "adam", "rule": "fltrust", "max_staleness": 1},
    {"optimiser": "yogi", "rule": "dare", "options": {"seed": 3}},
]
TAUGHT = {"variates": True, "moments": True, "learner": {"algorithm": "imitation"}}
ORDERS: dict[int, dict[str, Any]] = {
    1: {"training": {"variates": True, "share": "policy"}},
    2: {"rounds": 1, "training": TAUGHT, "then": [{"rounds": 1, "training": {"variates": True}}]},
}
"""For which of these plans robots are asked for more than weights, or the second round is another phase."""


@pytest.fixture(params=["embedded", "postgresql and s3"])
def hub(
    request: pytest.FixtureRequest, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    if request.param == "embedded":
        yield settings
        return
    folder = tmp_path_factory.mktemp("servers")
    with postgres(folder / "postgres") as url, s3_server(folder / "s3") as server:
        store = f"s3://guild/blobs?endpoint={server.endpoint}&secure=0&region=us-east-1&create=1"
        yield Settings.model_validate(
            settings.model_dump()
            | {
                "database_url": url,
                "store_url": store,
                "s3_access_key": server.access_key,
                "s3_secret_key": server.secret_key,
            }
        )


def fill(hall: Hall) -> None:
    """One campaign of two rounds for each plan."""
    hall.services.storage.store.check()
    ok(hall.publish(BASE))
    robots = [hall.enrol(f"robot {number}") for number in range(4)]
    for number, plan in enumerate(PLANS):
        hall.start(**{"rounds": 2, "quorum": 3, "target": 3, "merge": plan, **ORDERS.get(number, {})})
        hall.turn()
        owed = robots[3].assignment()
        assert owed is not None
        bring(robots[:3], 10 * number)
        hall.turn()
        if "max_staleness" in plan:
            late = robots[3].delta(owed, random_tensors(BASE, 99))
            assert ok(robots[3].push(owed.round_id, late)).json()["staleness"] == 1
            bring(robots[:2], 10 * number + 5)
        else:
            bring(robots[:3], 10 * number + 5)
        hall.turn()


def bring(robots: list[Robot], seed: int) -> None:
    for number, robot in enumerate(robots):
        work = robot.assignment()
        assert work is not None
        tensors = asked_tensors(BASE, work.training, seed + number)
        data = robot.delta(work, tensors, codec=CODECS[number], samples=100 + 50 * number)
        ok(robot.push(work.round_id, data))


class GrowingGate(StubGate):
    """Later versions score higher; a network's return is the sum of its last tensor, so some deltas gain."""

    def __init__(self) -> None:
        super().__init__({number: 0.05 * number for number in range(1, 20)})

    def __call__(self, candidate: Skill, current: Skill | None, plan: GatePlan) -> GateReport:
        report = super().__call__(candidate, current, plan)
        found = {"mean_return": float(candidate.tensors["log_std"].sum())}
        return report.model_copy(update={"candidate": report.candidate.model_copy(update=found)})


def again(hub: Settings, ref: str) -> Rebuilt:
    return rebuild(hub, "reach", ref, lambda *_: None)


def test_every_merged_version_comes_out_again(hub: Settings, clock: Hands) -> None:
    hall = Hall(hub, GrowingGate(), clock)
    fill(hall)
    assert hall.version("stable").version == 1 + 2 * len(PLANS)
    for number in range(2, 2 + 2 * len(PLANS)):
        found = again(hub, str(number))
        assert found.same
        assert found.expected == hall.version(number).digest
        assert (found.differences, found.device, found.device_now) == ({}, "cpu", "cpu")
        assert found.attested == "holds"
    with hall.services.storage.database.read() as session:
        roots = [row.root for row in session.scalars(select(RoundRow)) if row.root is not None]
    assert len(roots) == 2
    assert all(any(root.values()) and not all(root.values()) for root in roots)
    seen: list[tuple[int, int]] = []
    rebuild(hub, "reach", "stable", lambda *step: seen.append(step))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    with pytest.raises(NotFoundError, match="not merged here"):
        again(hub, "1")
    with hall.services.storage.database.write() as session:
        session.execute(text("UPDATE deltas SET samples = samples * 2 WHERE codec = 'raw'"))
    changed = again(hub, "2")
    assert not changed.same
    assert set(changed.differences) == {*BASE.tensors, "manifest"}
    assert changed.differences["log_std"] > 0
    assert changed.attested == "the journal tells otherwise of the deltas"
    hall.close()


def test_no_database_is_made_where_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no hub's database"):
        rebuild(Settings(data_dir=tmp_path / "nowhere"), "reach", "2", lambda *_: None)
    assert not (tmp_path / "nowhere").exists()
