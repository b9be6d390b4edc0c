"""Options of `zunft campaign start` by which masters teach, and the phases that they order.

Why lessons are ordered so, and when they are the better choice, says docs/learning.md.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from skills.errors import RequestError
from skills.messages.plans import TrainingPlan
from skills.messages.training import Algorithm

__all__ = ["MasterIterations", "PracticeAfter", "Teach", "teaching"]

Teach = Annotated[
    bool,
    typer.Option("--teach", help="Masters teach: a robot without one trains it at home, then come lessons."),
]
MasterIterations = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=10_000,
        help="With --teach: of a robot's training of its master; else as many as of its lessons.",
    ),
]
PracticeAfter = Annotated[
    int, typer.Option(min=0, help="With --teach: so many rounds of practice follow, with variates.")
]


def teaching(
    rounds: int,
    teach: bool,
    master_iterations: int | None,
    practice_after: int,
    *,
    learner: Algorithm | None,
    moments: bool,
) -> dict[str, Any]:
    """What these options order: fields of a campaign request; none without `--teach`.

    Args:
        rounds: Of lessons.
        teach: Whether there are any.
        master_iterations: None: a master costs a robot as many iterations as all its lessons.
        practice_after: Rounds.
        learner: Of the practice; None: as the task advises.
        moments: Whether lessons share moments of gradients; not where nobody says so, for a first root of
            few, noisy gradients makes long steps (docs/learning.md).

    Raises:
        RequestError: An option of teaching without it, or a learner without rounds in which it learns.
    """
    if not teach:
        if master_iterations or practice_after:
            raise RequestError(
                "masters and practice after lessons are for campaigns that teach.", remedy="Add --teach."
            )
        return {}
    if learner is not None and not practice_after:
        raise RequestError(
            "lessons are learned by imitation.",
            where="--learner",
            remedy="Leave it out, or say with --practice-after how many rounds by this learner follow.",
        )
    masters = master_iterations or min(10_000, rounds * TrainingPlan().iterations)
    lessons = {"algorithm": "imitation", "master_iterations": masters}
    unlike = {"variates": True, "share": "policy"}
    practice = {"learner": learner, **unlike}
    return {
        "training": {"learner": lessons, "moments": moments, **unlike},
        "then": [{"rounds": practice_after, "training": practice}] if practice_after else [],
    }
