"""A robot's own environment as its ground: it stays open, is left between two steps, and may fail."""

from __future__ import annotations

import gc

from envs.task import load_task
from fleet.ground import OwnGround
from fleet.trainer import TrainerSettings
from skills.messages import TrainingPlan
from tests.fleet.own_robots import Watched
from tests.fleet.test_practice import assignment_for
from zunft.starting import new_skill

TASK = load_task("weld-seam")
SKILL = new_skill("weld-seam", seed=0, hidden=(8,))
ORDER = assignment_for(SKILL, TrainingPlan(iterations=1))
BATCH = 64


def ground_of(env: Watched) -> OwnGround:
    settings = TrainerSettings(batch=BATCH, minibatch=BATCH)
    return OwnGround(env, TASK, seed=0, episodes=1, settings=settings)


def test_a_robots_own_environment_stays_open_from_round_to_round() -> None:
    env = Watched()
    ground = ground_of(env)
    for _ in range(2):
        ground.practise(SKILL, ORDER, "robot", lambda _: None)
        gc.collect()  # a trainer that is thrown away must take nothing with it
    ground.rehearse(SKILL)
    assert env.closed == 0
