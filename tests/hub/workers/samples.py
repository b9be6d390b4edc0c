"""Jobs to be done: a merge of tiny deltas and a gate on the real task, with their blobs in a store."""

from __future__ import annotations

from pathlib import Path

from envs.bundle import digest_folder, find_bundle
from hub.workers.bench import open_bench
from hub.workers.inprocess import InProcess
from hub.workers.job import BenchPlan, DeltaPart, GateJob, MergeJob, ScoreJob, StoreAddress
from hub.workers.metering import Spent
from skills.container import digest_of
from skills.delta import Delta, DeltaHeader, norm
from skills.messages.leaderboards import BoardPlan
from skills.messages.plans import GatePlan, MergePlan, TrainingPlan
from skills.signing import SigningKey
from tests.hub.conftest import random_tensors, tiny_skill
from tests.hub.workers.test_gate import weld_skill

UNTIMED = {"seconds": 0.0, "spent": Spent()}
"""What differs when a job is done again."""


def bench_plan(folder: Path, *, on_ray: bool = False, ray_address: str = "") -> BenchPlan:
    return BenchPlan(
        stores={"": StoreAddress(url=(folder / "blobs").as_uri())},
        spool=folder / "spool",
        gate_key_file=gate_key_in(folder),
        device="cpu",
        on_ray=on_ray,
        ray_address=ray_address,
        log_level="WARNING",
    )


def gate_key_in(folder: Path) -> Path:
    """A file with a key for the gate, as a hub's first start makes one."""
    file = folder / "gate-key.pem"
    SigningKey.load_or_create(file)
    return file


def in_process(plan: BenchPlan) -> InProcess:
    return InProcess(open_bench(plan, plan.open_store))


def merge_job(plan: BenchPlan) -> MergeJob:
    store, base = plan.open_store(), tiny_skill()
    store.put(base.digest, base.to_bytes())
    parts = []
    for number in range(3):
        tensors = random_tensors(base, number)
        header = DeltaHeader(
            base=base.digest, round_id="c-1", robot_id=f"r-{number}", codec="fp16", samples=100 + number
        )
        data = Delta(header, tensors).to_bytes()
        store.put(digest_of(data), data)
        parts.append(
            DeltaPart(
                digest=digest_of(data),
                size=len(data),
                samples=100 + number,
                success=0.5,
                norm=norm(tensors),
                staleness=number % 2,
            )
        )
    return MergeJob(
        round_id="c-1",
        base=base.digest,
        deltas=tuple(parts),
        training=TrainingPlan(),
        plan=MergePlan(rule="geometric-median", optimiser="adam"),
        gate=GatePlan(),
        version=2,
        optimiser_before=None,
    )


def score_job(plan: BenchPlan) -> ScoreJob:
    store, skill = plan.open_store(), weld_skill(0)
    store.put(skill.digest, skill.to_bytes())
    digest = digest_folder(find_bundle("weld-seam"))
    return ScoreJob(skill=skill.digest, task_digest=digest, plan=BoardPlan(episodes=2))


def gate_job(plan: BenchPlan, *, episodes: int = 2) -> GateJob:
    store = plan.open_store()
    skills = [weld_skill(seed) for seed in (0, 1)]
    for skill in skills:
        store.put(skill.digest, skill.to_bytes())
    how = GatePlan(embodiments=("ur5e",), episodes=episodes, most=episodes)
    return GateJob(candidate=skills[1].digest, current=skills[0].digest, plan=how)
