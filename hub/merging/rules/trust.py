"""FLTrust: a root update that the hub trusts decides how far each robot is believed.

Where the root comes from is the caller's business: an update of its own, or numbers for each update
(`hub.workers.merge_round` makes them from the gate's own rollouts).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hub.merging.combination import WeightedSum
from hub.merging.rules.rule import Card, Facts, Rule

__all__ = ["FLTrust"]


@dataclass(frozen=True)
class FLTrust(Rule):
    """Mean of the updates, each as long as the root, weighed by max(0, cosine to the root)."""

    card: ClassVar = Card(
        formula="Σ sᵢ xᵢ|r|/|xᵢ| / Σ sᵢ with sᵢ = max(0, cos(xᵢ, r)); zero if none agrees",
        source="Cao et al. 2021, algorithm 2",
        reads=2,
        cost="n²/2",
        survives="any f, as far as the root is right",
        weights=False,
    )
    needs_gram: ClassVar = True
    needs_root: ClassVar = True
    averages: ClassVar = False  # it gives all updates the root's length

    def solve(self, facts: Facts) -> WeightedSum:
        """Factors from the cosines; an update or root of length zero has none."""
        lengths = np.sqrt(np.maximum(np.diag(facts.inner()), 0))
        towards = facts.root if facts.root is not None else np.zeros(len(lengths))
        there = (lengths > 0) & (facts.root_norm > 0)
        trust = np.divide(
            np.maximum(towards, 0), lengths * facts.root_norm, out=np.zeros(len(lengths)), where=there
        )
        if not trust.any():
            return WeightedSum(np.zeros(facts.transform.shape[1]))
        stretch = np.divide(facts.root_norm, lengths, out=np.zeros(len(lengths)), where=there)
        return WeightedSum((trust / trust.sum() * stretch) @ facts.transform)
