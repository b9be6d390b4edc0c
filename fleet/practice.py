"""Training on one machine: from a base on, and a round's work from its base and assignment to its delta.

Pure besides the trainer. Fetching the base and sending the delta is left to `fleet.agent`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from fleet.training.report import TrainingReport
from fleet.training.trainer import Trainer
from skills.container import Tensors
from skills.delta import Delta, DeltaHeader, learned, norm, subtract
from skills.messages.costs import SECONDS_CLAIMED
from skills.messages.rounds import Assignment
from skills.parts import is_carried, network_of
from skills.skill import Skill

__all__ = ["Practised", "practise", "train_locally"]


def train_locally(
    trainer: Trainer,
    base: Skill,
    rates: Iterable[float],
    iterations: int,
    *,
    digest: str = "",
    proximal: float = 0.0,
    on_iteration: Callable[[TrainingReport], None] | None = None,
    on_step: Callable[[], None] = lambda: None,
) -> tuple[Tensors, TrainingReport]:
    """Train from `base`, so many iterations at each learning rate in turn, with one Adam.

    `digest` says how factors begin, where the trainer has some.

    Returns:
        The weights, and what all iterations together did.

    Raises:
        ArtefactError: The base does not belong to the trainer's network, or training diverged.
        ContractError: The environment gave numbers that are not finite.
        RobotError, StoppedError: See `fleet.place`.
    """
    trainer.take(base.tensors, digest)
    reports = [
        trainer.train(iterations, rate, proximal=proximal, on_iteration=on_iteration, on_step=on_step)
        for rate in rates
    ]
    return trainer.shared(), TrainingReport.of(reports)


@dataclass(frozen=True)
class Practised:
    """What came of a round's work: what is sent, and what the robot keeps for the next round."""

    delta: Delta
    private: Tensors


def practise(
    base: Skill,
    assignment: Assignment,
    trainer: Trainer,
    robot_id: str,
    private: Tensors,
    on_iteration: Callable[[TrainingReport], None] | None = None,
    on_step: Callable[[], None] = lambda: None,
    processor: Callable[[], float] = time.process_time,
) -> Practised:
    """Train from `base` as the assignment says; what was learned, as the plan wants it sent.

    Args:
        base: The round's.
        assignment: The hub's order.
        trainer: For the base's network, and by the plan.
        robot_id: Goes into the delta.
        private: What this robot kept of the campaign's last round; empty where it has nothing.
        on_iteration: See `train_locally`.
        on_step: See `train_locally`.
        processor: Processor seconds of this process so far, of which the hub is told what training took.

    Raises:
        ArtefactError, ContractError, RobotError, StoppedError: See `train_locally`.
    """
    began = processor()
    plan, start = assignment.training, _plain(base) if assignment.afresh else base
    trainer.restore(private)
    weights, report = train_locally(
        trainer,
        start,
        [assignment.learning_rate],
        plan.iterations,
        digest=base.digest,
        proximal=plan.proximal,
        on_iteration=on_iteration,
        on_step=on_step,
    )
    network = {name: each for name, each in weights.items() if name in base.tensors and not is_carried(name)}
    change = norm(subtract(network, {name: base.tensors[name] for name in network}))
    header = DeltaHeader(
        base=base.digest,
        round_id=assignment.round_id,
        robot_id=robot_id,
        codec=plan.codec,
        samples=report.steps,
        metrics={**_metrics(report, change), SECONDS_CLAIMED: processor() - began},
    )
    return Practised(Delta(header, learned(weights, start, plan)), trainer.private())


def _plain(base: Skill) -> Skill:
    """The same network, carrying nothing."""
    return Skill(base.manifest.model_copy(update={"carries": ()}), network_of(base.tensors))


def _metrics(report: TrainingReport, change: float) -> dict[str, float]:
    figures = {
        "change": change,
        "episodes": float(len(report.returns)),
        "return": report.mean_return,
        "seconds": report.seconds,
        "success": report.success_rate,
        **report.learning,
    }
    return {name: value for name, value in figures.items() if value is not None}
