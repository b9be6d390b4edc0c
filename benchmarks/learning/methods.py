"""Ways to learn that are compared: alone, in a guild, with everybody's data in one place.

Each gives the skills that robots end up with: one for all, or one a robot. A guild's rounds are the product's
own code from practising to the merged version; HTTP, signatures, codecs and the gate are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

from benchmarks.learning.pooled import pooled_env
from benchmarks.learning.setting import Setting
from envs.task import load_task
from envs.workshop import Workshop
from fleet.local_training import train_alone
from fleet.practice import practise, train_locally
from fleet.training.choose import make_trainer
from fleet.twin import TwinPlace, learner_of
from fleet.workers.crew import Crew, Line
from hub.merging.cpu import CpuEngine
from hub.workers.merge_round import Received, write_candidate
from skills.container import Tensors
from skills.delta import norm
from skills.messages.rounds import Assignment
from skills.messages.skills import VersionView
from skills.parts import network_of
from skills.policy import Policy
from skills.skill import Skill
from zunft.new_skill import new_skill

__all__ = ["METHODS", "Method"]

PLACES: dict[tuple[Any, ...], TwinPlace] = {}
"""Of this process, by task, home, seed and master."""

Method = Callable[[Crew, Setting, Callable[[str], None]], list[Skill]]
"""Crew, what is held equal, and whom to tell how far it is; the skills: one for all, or one a robot."""


def alone(crew: Crew, setting: Setting, tell: Callable[[str], None]) -> list[Skill]:
    """Each robot for itself, Adam kept from first to last."""
    tell("each robot alone")
    first = new_skill(setting.task, seed=setting.seed)
    homes = setting.places().homes
    return _run(crew, _alone, [(first, setting, home, number) for number, home in enumerate(homes)])


def guild(crew: Crew, setting: Setting, tell: Callable[[str], None]) -> list[Skill]:
    """A campaign of practice."""
    return _campaign(crew, setting, tell, [None] * setting.robots)


def _campaign(
    crew: Crew, setting: Setting, tell: Callable[[str], None], masters: Sequence[Skill | None]
) -> list[Skill]:
    skill, state = new_skill(setting.task, seed=setting.seed), None
    homes = setting.places().homes
    private: list[Tensors] = [{} for _ in homes]
    for number in range(1, setting.rounds + 1):
        tell(f"round {number} of {setting.rounds}")
        order = _order(skill, setting, number)
        jobs = [
            (skill, order, home, setting.seed + place, private[place], masters[place])
            for place, home in enumerate(homes)
        ]
        done = _run(crew, _practise, jobs)
        private = [kept for _, kept in done]
        skill, state = _merged(skill, setting, number, [delta for delta, _ in done], state)
    return [skill]


def lessons(crew: Crew, setting: Setting, tell: Callable[[str], None]) -> list[Skill]:
    """Each robot trains a master at home, as many iterations as the campaign has rounds; then all teach.

    So each robot makes as many steps for its master as alone, and those of the lessons beside them.
    """
    homes = setting.places().homes
    practice = setting.training.model_copy(update={"learner": None, "variates": False, "moments": False})
    tell("masters")
    first = new_skill(setting.task, seed=setting.seed)
    alone_setting = replace(setting, training=practice)
    masters = _run(crew, _alone, [(first, alone_setting, home, number) for number, home in enumerate(homes)])
    return _campaign(crew, setting, tell, masters)


def pooled(crew: Crew, setting: Setting, tell: Callable[[str], None]) -> list[Skill]:
    """One learner with everybody's data, which nobody has who keeps data at home: a yardstick."""
    tell("one learner with all data")
    first = new_skill(setting.task, seed=setting.seed)
    return _run(crew, _pooled, [(first, setting)])


METHODS: dict[str, Method] = {"alone": alone, "guild": guild, "lessons": lessons, "pooled": pooled}


def _run(crew: Crew, function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
    return crew.run(function, arguments, labels=[""] * len(arguments), on_progress=lambda _: None)


def _alone(_: Line, first: Skill, setting: Setting, home: Workshop, number: int) -> Skill:
    task = load_task(setting.task)
    return train_alone(first, task, home, setting.training, setting.rounds, seed=setting.seed + number)


def _practise(
    _: Line,
    base: Skill,
    order: Assignment,
    home: Workshop,
    seed: int,
    private: Tensors,
    master: Skill | None,
) -> tuple[Received, Tensors]:
    place = _place(base.manifest.task, home, seed, master)
    trainer = place.trainer(base.manifest.network, order.training)
    work = practise(base, order, trainer, home.name, private)
    tensors = {name: work.delta.tensors[name] for name in work.delta.tensors}
    header = work.delta.header
    received = Received(header.samples, header.metrics.get("success"), norm(network_of(tensors)), 0, tensors)
    return received, work.private


def _place(task: str, home: Workshop, seed: int, master: Skill | None) -> TwinPlace:
    """A robot's simulation; it lives as long as its process."""
    teacher = None if master is None else Policy(master)
    key = (task, home, seed, None if master is None else master.digest)
    if key not in PLACES:
        PLACES[key] = TwinPlace(load_task(task), home, seed=seed, master=lambda: teacher)
    return PLACES[key]


def _pooled(_: Line, first: Skill, setting: Setting) -> Skill:
    plan, task, homes = setting.training, setting.loaded(), setting.places().homes
    one = learner_of(plan, task)
    sizes = {"batch": one.batch * len(homes), "minibatch": one.minibatch * len(homes)}
    trainer = make_trainer(
        lambda seed: pooled_env(task, homes, seed),
        first.manifest.network,
        one.model_copy(update=sizes),
        seed=setting.seed,
    )
    rates = [plan.rate_of_round(number, setting.rounds) for number in range(1, setting.rounds + 1)]
    weights, _report = train_locally(trainer, first, rates, plan.iterations)
    trainer.close()
    return Skill(first.manifest, weights)


def _merged(
    base: Skill, setting: Setting, number: int, deltas: Sequence[Received], state: bytes | None
) -> tuple[Skill, bytes]:
    skill_file, state_file = BytesIO(), BytesIO()
    write_candidate(
        skill_file,
        state_file,
        base,
        {f"robot {place:03d}": delta for place, delta in enumerate(deltas)},
        setting.training,
        setting.merge,
        version=base.manifest.version + 1,
        round_id=f"r-{number}",
        optimiser_state=state,
        engine=CpuEngine(1),
    )
    return Skill.from_bytes(skill_file.getvalue()), state_file.getvalue()


def _order(base: Skill, setting: Setting, number: int) -> Assignment:
    """What a hub would have sent."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    view = VersionView(
        skill=base.manifest.name,
        version=base.manifest.version,
        digest=base.digest,
        size=base.size,
        origin=base.manifest.origin,
        task=base.manifest.task,
        created_at=now,
        signature="",
        manifest=base.manifest,
    )
    return Assignment(
        campaign_id="evidence",
        round_id=f"r-{number}",
        number=number,
        rounds=setting.rounds,
        base=view,
        deadline=now,
        training=setting.training,
        learning_rate=setting.training.rate_of_round(number, setting.rounds),
    )
