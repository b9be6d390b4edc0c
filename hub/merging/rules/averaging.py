"""The weighted mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hub.merging.combination import WeightedSum
from hub.merging.rules.rule import Card, Facts, Rule

__all__ = ["Mean"]


@dataclass(frozen=True)
class Mean(Rule):
    """Federated averaging: sum of w_i x_i / sum of w_i."""

    card: ClassVar = Card(
        formula="Σ wᵢxᵢ / Σ wᵢ",
        source="McMahan et al. 2017, algorithm 1",
        reads=1,
        cost="n",
        survives="0",
        weights=True,
    )

    def solve(self, facts: Facts) -> WeightedSum:
        """Factors are the weights."""
        return WeightedSum(facts.weights @ facts.transform)
