"""One robot's work of one round: from the round's base and assignment to its delta.

Pure besides the trainer. Fetching the base and sending the delta is left to `fleet.agent`.
"""

from __future__ import annotations

from collections.abc import Callable

from fleet.trainer import Trainer, TrainingReport
from skills.delta import Delta, DeltaHeader, clip, norm, subtract
from skills.messages.rounds import Assignment
from skills.skill import Skill

__all__ = ["practise"]


def practise(
    base: Skill,
    assignment: Assignment,
    trainer: Trainer,
    robot_id: str,
    on_iteration: Callable[[TrainingReport], None] | None = None,
    on_step: Callable[[], None] = lambda: None,
) -> Delta:
    """Train from `base` as the assignment says; what was learned, clipped to the plan's norm.

    Raises:
        ArtefactError: The base does not belong to the trainer's network, or training diverged.
        ContractError: The environment gave numbers that are not finite.
        RobotError, StoppedError: See `fleet.interfaces`.
    """
    plan = assignment.training
    trainer.set_weights(base.tensors)
    report = trainer.train(
        plan.iterations,
        assignment.learning_rate,
        proximal=plan.proximal,
        on_iteration=on_iteration,
        on_step=on_step,
    )
    learned = subtract(trainer.get_weights(), base.tensors)
    header = DeltaHeader(
        base=base.digest,
        round_id=assignment.round_id,
        robot_id=robot_id,
        codec=plan.codec,
        samples=report.steps,
        metrics=_metrics(report, norm(learned)),
    )
    return Delta(header, clip(learned, plan.clip_norm))


def _metrics(report: TrainingReport, change: float) -> dict[str, float]:
    figures = {
        "change": change,
        "episodes": float(len(report.returns)),
        "return": report.mean_return,
        "seconds": report.seconds,
        "success": report.success_rate,
    }
    return {name: value for name, value in figures.items() if value is not None}
