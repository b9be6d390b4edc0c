"""What the demo runs on a task: the campaign that it advises, and who works in which workshops.

Running it is `zunft.demo.run`'s.
"""

from __future__ import annotations

from dataclasses import dataclass

from envs.changed import changed_workshop
from envs.task import load_task
from envs.workshop import Workshop, fleet_workshops, fresh_workshop
from fleet.personal import Tuning
from skills.messages.campaigns import CampaignPlan, CampaignRequest, Phase
from skills.messages.plans import TrainingPlan
from skills.messages.training import Imitation
from zunft.demo.newcomer import Newcomer

__all__ = ["ROBOTS", "DemoPlan", "fast_plan", "full_plan"]

ROBOTS = ("ada", "bela", "cleo", "dora")
UNSEEN = 2
FAST_ROUNDS = 2
CHANGE_SEED = 59_900  # of homes after they changed, which nobody trained in


@dataclass(frozen=True)
class DemoPlan:
    """What the demo runs.

    Attributes:
        order: The campaign.
        episodes: Scored in each cell of the fleet's table, and over all fresh workshops of a newcomer.
        fresh: Fresh workshops a newcomer is scored in.
        tuning: Of the guild's skill by each robot at home.
        processes: Worker processes that the robots share.
        seed: Of the first network, of training and of the fresh workshops.
    """

    order: CampaignRequest
    episodes: int
    fresh: int
    tuning: Tuning
    processes: int
    seed: int

    @property
    def task(self) -> str:
        """Its name, and the skill's."""
        return self.order.skill

    @property
    def share(self) -> int:
        """Episodes in each fresh workshop of a newcomer."""
        return max(1, self.episodes // self.fresh)

    @property
    def teaches(self) -> bool:
        """Whether robots train masters alone, who then teach the guild's apprentice."""
        return any(each.training.master_iterations for each in self.order.stretches)

    @property
    def alone(self) -> tuple[TrainingPlan, int]:
        """How a robot learns alone, and for how many rounds of that: its master, or as in the campaign."""
        if self.teaches:
            masters = max(each.training.master_iterations for each in self.order.stretches)
            return TrainingPlan(iterations=1), masters
        return self.order.training, self.order.rounds_in_all

    def homes(self) -> dict[str, Workshop]:
        """Of the robots that train."""
        return dict(zip(ROBOTS, fleet_workshops(load_task(self.task).file, len(ROBOTS)), strict=True))

    def changed(self, home: Workshop) -> list[Workshop]:
        """A home as it may be one day: other payload, sensors, friction."""
        file = load_task(self.task).file
        return [changed_workshop(file, home, CHANGE_SEED + number) for number in range(self.fresh)]

    def newcomers(self) -> list[Newcomer]:
        """Robots that do not train; where no others are admitted, one that does, in workshops kept apart."""
        file = load_task(self.task).file
        trained = {home.embodiment for home in self.homes().values()}
        others = tuple(robot for robot in file.embodiments if robot not in trained)
        return [
            Newcomer(
                robot,
                tuple(
                    fresh_workshop(file, robot, self.seed + number, held_out=True)
                    for number in range(self.fresh)
                ),
            )
            for robot in others[:UNSEEN] or file.embodiments[:1]
        ]


def full_plan(task: str, *, seed: int, processes: int = 2) -> DemoPlan:
    """Some minutes on two cores."""
    order = _order(task, load_task(task).file.training.order())
    return DemoPlan(order, episodes=96, fresh=4, tuning=Tuning(), processes=processes, seed=seed)


def fast_plan(task: str, *, seed: int, processes: int = 2) -> DemoPlan:
    """The same path in half a minute; too short to learn anything."""
    advice = _in_short(load_task(task).file.training.order(), FAST_ROUNDS)
    training = advice.training.model_copy(update={"iterations": 1})
    order = _order(task, advice.model_copy(update={"training": training}), episodes=4, margin=1)
    tuning = Tuning(iterations=1, episodes=4)
    return DemoPlan(order, episodes=8, fresh=1, tuning=tuning, processes=processes, seed=seed)


def _order(task: str, advice: CampaignPlan, **gate: float) -> CampaignRequest:
    robots = fleet_workshops(load_task(task).file, len(ROBOTS))
    arms = tuple(dict.fromkeys(shop.embodiment for shop in robots))
    said = {
        "skill": task,
        "quorum": len(ROBOTS),
        "target": len(ROBOTS),
        "gate": {"embodiments": arms, **gate},
    }
    return CampaignRequest.model_validate(advice.but(said))


def _in_short(advice: CampaignPlan, most: int) -> CampaignPlan:
    """So many rounds at most, and masters that train as much shorter."""
    share = min(1.0, most / advice.rounds_in_all)

    def less(number: int) -> int:
        return max(1, round(number * share)) if number else 0

    def shorter(training: TrainingPlan) -> TrainingPlan:
        learner = training.learner
        if not isinstance(learner, Imitation):
            return training
        few = less(learner.master_iterations)
        return training.model_copy(update={"learner": learner.model_copy(update={"master_iterations": few})})

    return advice.model_copy(
        update={
            "rounds": less(advice.rounds),
            "training": shorter(advice.training),
            "then": tuple(
                Phase(rounds=less(each.rounds), training=shorter(each.training)) for each in advice.then
            ),
        }
    )
