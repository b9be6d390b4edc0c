"""Training without a guild: a robot on its own, or each of a fleet, with as many own steps as in a campaign.

Also each of a fleet tuning the guild's skill at home. How one trains is left to `fleet.practice`, how one
tunes to `fleet.personal`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from envs.task import Task, load_task
from envs.workshop import Workshop
from fleet.personal import Tuning, personalise
from fleet.place import Iteration
from fleet.progress import Progress
from fleet.simulate import FleetPlan
from fleet.tuning import in_words
from fleet.workers.crew import Crew, Line
from skills.messages.plans import TrainingPlan
from skills.skill import Skill

if TYPE_CHECKING:
    from fleet.training.report import TrainingReport

__all__ = ["train_all_alone", "train_alone", "tune_all"]


def train_all_alone(
    crew: Crew,
    fleet: FleetPlan,
    skill: Skill,
    plan: TrainingPlan,
    rounds: int,
    on_progress: Callable[[Progress], None],
) -> list[Skill]:
    """`train_alone` for each robot of a fleet, with the seed that it has in the fleet; skills in their order.

    Raises:
        WorkerDiedError: Says which robot was lost.
        ArtefactError: Training diverged.
    """
    names = [robot.name for robot in fleet.robots]
    arguments = [(fleet, number, skill, plan, rounds) for number in range(len(names))]
    return crew.run(_train, arguments, labels=names, on_progress=on_progress)


def train_alone(
    skill: Skill,
    task: Task,
    workshop: Workshop,
    plan: TrainingPlan,
    rounds: int,
    *,
    seed: int,
    on_iteration: Callable[[TrainingReport], None] | None = None,
) -> Skill:
    """Train from `skill` for as many iterations as a campaign of `rounds` asks of each robot.

    The learning rate falls as in the campaign; Adam is kept from first to last, as by one who trains
    alone.

    Args:
        skill: Where training starts.
        task: What is practised.
        workshop: Where.
        plan: Iterations of a round, and the learning rates.
        rounds: How many rounds' worth.
        seed: Of the training.
        on_iteration: Told of each iteration's figures.

    Raises:
        ArtefactError: Training diverged.
    """
    from fleet.practice import train_locally  # noqa: PLC0415 - RLlib is for workers, not for their parent
    from fleet.twin import TwinPlace  # noqa: PLC0415

    # Nobody to share with: the critic is part of what is learned, where the network has one.
    alone = plan.model_copy(update={"variates": False, "moments": False, "share": "all", "low_rank": None})
    trainer = TwinPlace(task, workshop, seed=seed).trainer(skill.manifest.network, alone)
    rates = [plan.rate_of_round(number, rounds) for number in range(1, rounds + 1)]
    weights, report = train_locally(trainer, skill, rates, plan.iterations, on_iteration=on_iteration)
    trainer.close()
    changes = {
        "version": skill.manifest.version + 1,
        "parents": (skill.digest,),
        "origin": "upload",
        "contributors": 1,
        "carries": (),
        "samples": report.steps,
        "summary": f"Trained alone in {workshop.name}",
    }
    return Skill(skill.manifest.model_copy(update=changes), weights)


def tune_all(
    crew: Crew, fleet: FleetPlan, guild: Skill, tuning: Tuning, on_progress: Callable[[Progress], None]
) -> list[Skill]:
    """What each robot of a fleet uses at home after tuning the guild's skill there; skills in their order.

    Raises:
        WorkerDiedError: Says which robot was lost.
        ArtefactError: Training diverged.
    """
    names = [robot.name for robot in fleet.robots]
    arguments = [(fleet, number, guild, tuning) for number in range(len(names))]
    return crew.run(_tune, arguments, labels=names, on_progress=on_progress)


def _tune(line: Line, fleet: FleetPlan, number: int, guild: Skill, tuning: Tuning) -> Skill:
    from fleet.twin import TwinPlace  # noqa: PLC0415 - RLlib is for workers, not for their parent

    robot, steps = fleet.robots[number], 0

    def tell(iteration: Iteration) -> None:
        nonlocal steps
        steps += iteration.steps
        success = iteration.success_rate
        line.report(Progress(robot.name, "training", steps=steps, success=success, text="at home"))

    place = TwinPlace(load_task(fleet.skill), robot.workshop, seed=fleet.seed + number)
    record, skill = personalise(place, guild, tuning, tell)
    line.report(Progress(robot.name, "tuned", steps=steps, success=record.score, text=in_words(record)))
    return skill


def _train(line: Line, fleet: FleetPlan, number: int, skill: Skill, plan: TrainingPlan, rounds: int) -> Skill:
    robot = fleet.robots[number]
    done, total = 0, 0

    def tell(report: TrainingReport) -> None:
        nonlocal done, total
        done, total = done + 1, total + report.steps
        line.report(
            Progress(
                robot=robot.name,
                phase="training",
                round=(done - 1) // plan.iterations + 1,
                iteration=done,
                steps=total,
                success=report.success_rate,
                text="alone",
            )
        )

    return train_alone(
        skill,
        load_task(fleet.skill),
        robot.workshop,
        plan,
        rounds,
        seed=fleet.seed + number,
        on_iteration=tell,
    )
