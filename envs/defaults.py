"""What a task advises whoever trains for it: which network, how it learns, and what campaign to order.

Advice is taken by whoever gives an order, so that the order itself says in full what is to be done.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pydantic import Field

from envs.values import Section
from skills.errors import ContractError
from skills.messages.campaigns import CampaignPlan, Phase
from skills.messages.plans import TrainingPlan
from skills.messages.training import Algorithm, Ppo

__all__ = ["Training", "read_training"]


class Training(Section):
    """Where training for this task begins, unless somebody says otherwise.

    Attributes:
        network: Kind and sizes, as `zunft skill new` takes them; docs/format.md names the kinds.
        learner: An algorithm with its knobs; docs/learning.md has them.
        campaign: Rounds, `training`, `merge` and further phases as an order has them; docs/learning.md.
    """

    network: dict[str, Any] = Field(default={"kind": "mlp"}, max_length=16)
    learner: Algorithm = Ppo()
    campaign: CampaignPlan = CampaignPlan()

    def order(self) -> CampaignPlan:
        """The campaign with the learner, in phases that name none of their own."""

        def full(plan: TrainingPlan) -> TrainingPlan:
            return plan.model_copy(update={"learner": plan.learner or self.learner})

        then = tuple(Phase(rounds=each.rounds, training=full(each.training)) for each in self.campaign.then)
        return self.campaign.model_copy(update={"training": full(self.campaign.training), "then": then})


def read_training(bundle: Path) -> Training:
    """This section of a bundle alone, without loading what simulates it.

    Raises:
        ContractError: It cannot be read; `envs.task.load_task` says where and why.
    """
    path = bundle / "task.toml"
    try:
        figures = tomllib.loads(path.read_text(encoding="utf-8"))
        return Training.model_validate(figures.get("training", {}))
    except ValueError as error:
        raise ContractError(
            "what it advises cannot be read.", where=str(path), remedy=f"See zunft task check {bundle}"
        ) from error
