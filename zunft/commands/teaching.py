"""Options of `zunft campaign start` by which masters teach, and the phases that they order.

Why lessons are ordered so, and when they are the better choice, says docs/learning.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from skills.errors import RequestError
from skills.messages.campaigns import CampaignPlan
from skills.messages.training import Imitation

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
        help="With --teach: of a robot's training of its master; else as advised, or as of its lessons.",
    ),
]
PracticeAfter = Annotated[
    int, typer.Option(min=0, help="With --teach: so many rounds of practice follow, with variates.")
]


def teaching(
    advice: CampaignPlan,
    said: Mapping[str, Any],
    teach: bool,
    master_iterations: int | None,
    practice_after: int,
) -> dict[str, Any]:
    """What these options order: fields of a campaign request; none without `--teach`.

    Args:
        advice: The task's; its lessons are taken, where it advises any.
        said: By other options: fields of a request. A learner is of the practice.
        teach: Whether there are lessons.
        master_iterations: None: as the task advises, or else as many as of all lessons of a robot.
        practice_after: Rounds.

    Raises:
        RequestError: An option of teaching without it, or a learner without rounds in which it learns.
    """
    if not teach:
        if master_iterations or practice_after:
            raise RequestError(
                "masters and practice after lessons are for campaigns that teach.", remedy="Add --teach."
            )
        return {}
    own = dict(said["training"])
    learner = own.pop("learner", None)
    if learner is not None and not practice_after:
        raise RequestError(
            "lessons are learned by imitation.",
            where="--learner",
            remedy="Leave it out, or say with --practice-after how many rounds by this learner follow.",
        )
    advised, iterations = advice.training.learner, advice.training.iterations
    lessons = advised if isinstance(advised, Imitation) else Imitation()
    every = min(10_000, said.get("rounds", advice.rounds) * iterations)
    masters = master_iterations or lessons.master_iterations or every
    taught = lessons.model_copy(update={"master_iterations": masters})
    unlike = {"variates": True, "share": "policy"}
    practice = {"learner": learner, "iterations": iterations, **unlike}
    return {
        "training": {"learner": taught, **unlike, **own},
        "then": [{"rounds": practice_after, "training": practice}] if practice_after else [],
    }
