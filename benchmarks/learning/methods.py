"""Ways to learn that are compared: alone, in a guild, with everybody's data in one place, and what follows.

Each gives the skills that robots end up with: one for all, or one a robot. How a campaign runs is
`benchmarks.learning.campaign`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil

from benchmarks.learning.campaign import campaign, run_all
from benchmarks.learning.pooled import pooled_env
from benchmarks.learning.scoring import mean_success
from benchmarks.learning.setting import Setting
from envs.task import load_task
from envs.workshop import Workshop
from fleet.local_training import train_alone
from fleet.personal import Tuning, personalise
from fleet.practice import train_locally
from fleet.training.choose import make_trainer
from fleet.twin import TwinPlace, learner_of
from fleet.workers.crew import Crew, Line
from skills.skill import Skill
from zunft.new_skill import new_skill

__all__ = ["METHODS", "Learned", "Method", "learned"]

AFTER_LESSONS = 3e-4
"""Learning rate of practice that begins where lessons ended."""
GOOD = 0.8
"""Success in workshops of nobody's at which a guild has learned the job."""
GO_ON = 10_000
"""Own steps of a robot whose home has changed."""


@dataclass(frozen=True)
class Learned:
    """What came of a method.

    Attributes:
        skills: One for all robots, or one a robot.
        steps: Environment steps of one robot, those of its master and of tuning with them.
    """

    skills: list[Skill]
    steps: int


Method = Callable[[Crew, Setting, Callable[[str], None]], Learned]
"""Crew, what is held equal, and whom to tell how far it is."""

KEPT: dict[tuple[str, str], Learned] = {}
"""By method and setting: some methods begin with what others end with."""


def learned(name: str, crew: Crew, setting: Setting, tell: Callable[[str], None]) -> Learned:
    """What a method gives at a setting; learned once in this process."""
    key = (name, repr(setting))
    if key not in KEPT:
        KEPT[key] = METHODS[name](crew, setting, tell)
    return KEPT[key]


def alone(crew: Crew, setting: Setting, tell: Callable[[str], None]) -> Learned:
    """Each robot for itself, Adam kept from first to last."""
    tell("each robot alone")
    homes = setting.places().homes
    jobs = [(_first(setting), setting, home, number) for number, home in enumerate(homes)]
    return Learned(run_all(crew, _alone, jobs), _steps(setting))


def guild(crew: Crew, setting: Setting, tell: Callable[[str], None]) -> Learned:
    """A campaign of practice."""
    skill, _ = campaign(crew, setting, tell, _first(setting))
    return Learned([skill], _steps(setting))


def until(crew: Crew, setting: Setting, tell: Callable[[str], None]) -> Learned:
    """A campaign that ends as soon as the job is done well in workshops of nobody's; `steps` says when."""

    def good(skill: Skill) -> bool:
        return mean_success(crew, skill, setting, setting.looks()) >= GOOD

    skill, rounds = campaign(crew, setting, tell, _first(setting), enough=good)
    return Learned([skill], _steps(setting, rounds))


def lessons(crew: Crew, setting: Setting, tell: Callable[[str], None]) -> Learned:
    """Each robot trains a master at home, as many iterations as the campaign has rounds; then all teach."""
    plan = {"learner": None, "variates": False, "moments": False}
    masters = learned(
        "alone", crew, replace(setting, training=setting.training.model_copy(update=plan)), tell
    )
    skill, _ = campaign(crew, setting, tell, _first(setting), masters.skills)
    return Learned([skill], masters.steps + _steps(setting))


def both(crew: Crew, setting: Setting, tell: Callable[[str], None]) -> Learned:
    """Lessons, then a third as many rounds of practice from there, with control variates, at a lower rate."""
    taught = learned("lessons", crew, setting, tell)
    plan = {"learner": None, "moments": False, "learning_rate": AFTER_LESSONS}
    practice = setting.training.model_copy(update=plan)
    after = replace(setting, rounds=setting.rounds // 3, training=practice)
    skill, _ = campaign(crew, after, tell, taught.skills[0])
    return Learned([skill], taught.steps + _steps(after))


def pooled(crew: Crew, setting: Setting, tell: Callable[[str], None]) -> Learned:
    """One learner with everybody's data, which nobody has who keeps data at home: a yardstick."""
    tell("one learner with all data")
    return Learned(run_all(crew, _pooled, [(_first(setting), setting)]), _steps(setting))


def tuned(crew: Crew, setting: Setting, tell: Callable[[str], None]) -> Learned:
    """The guild's skill, tuned by each robot for its home."""
    found = learned("guild", crew, setting, tell)
    tell("each robot tunes at home")
    homes = setting.places().homes
    jobs = [(found.skills[0], setting, home, number) for number, home in enumerate(homes)]
    own = Tuning().iterations * learner_of(setting.training, setting.loaded()).batch
    return Learned(run_all(crew, _tuned, jobs), found.steps + own)


def alone_after(crew: Crew, setting: Setting, tell: Callable[[str], None]) -> Learned:
    """Specialists that went on learning in their homes once these had changed."""
    return _went_on("alone", crew, setting, tell)


def guild_after(crew: Crew, setting: Setting, tell: Callable[[str], None]) -> Learned:
    """Robots that went on from the guild's skill in their homes once these had changed."""
    return _went_on("guild", crew, setting, tell)


def _went_on(before: str, crew: Crew, setting: Setting, tell: Callable[[str], None]) -> Learned:
    found = learned(before, crew, setting, tell)
    tell("each robot goes on in its changed home")
    homes, count = setting.places().changed, len(found.skills)
    jobs = [(found.skills[number % count], setting, home, number) for number, home in enumerate(homes)]
    return Learned(run_all(crew, _go_on, jobs), found.steps + GO_ON)


METHODS: dict[str, Method] = {
    "alone": alone,
    "guild": guild,
    "until": until,
    "lessons": lessons,
    "both": both,
    "pooled": pooled,
    "tuned": tuned,
    "alone after": alone_after,
    "guild after": guild_after,
}


def _first(setting: Setting) -> Skill:
    return new_skill(setting.task, seed=setting.seed, network=setting.network)


def _steps(setting: Setting, rounds: int | None = None) -> int:
    """Of one robot in a campaign."""
    batch = learner_of(setting.training, setting.loaded()).batch
    return batch * setting.training.iterations * (setting.rounds if rounds is None else rounds)


def _alone(_: Line, first: Skill, setting: Setting, home: Workshop, number: int) -> Skill:
    task = load_task(setting.task)
    return train_alone(first, task, home, setting.training, setting.rounds, seed=setting.seed + number)


def _tuned(_: Line, guilds: Skill, setting: Setting, home: Workshop, number: int) -> Skill:
    place = TwinPlace(setting.loaded(), home, seed=setting.seed + number)
    return personalise(place, guilds, Tuning())[1]


def _go_on(_: Line, skill: Skill, setting: Setting, home: Workshop, number: int) -> Skill:
    place = TwinPlace(setting.loaded(), home, seed=setting.seed + number)
    iterations = ceil(GO_ON / learner_of(setting.training, setting.loaded()).batch)
    weights = place.tune(skill, iterations, setting.training.final_learning_rate, lambda _: None)
    return Skill(skill.manifest.model_copy(update={"carries": ()}), weights)


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
