"""Rules for skills of different lineages: what each learned is added up rather than averaged.

Updates are task vectors: skill minus a common base. None of these rules is safe from a liar.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hub.merging.combination import DroppedSum, SignElection, WeightedSum
from hub.merging.rules.rule import Card, Facts, Rule, check_option
from hub.merging.stack import Stack, decode
from skills.codecs import Quantised

__all__ = ["Dare", "TaskArithmetic", "Ties"]


@dataclass(frozen=True)
class TaskArithmetic(Rule):
    """The sum of all task vectors, scaled; weights are relative, equal ones count 1 each."""

    scale: float = 0.4

    card: ClassVar = Card(
        formula="scale · Σ n wᵢxᵢ, Σ wᵢ = 1",
        source="Ilharco et al. 2023, section 2; scale .4 as in Yadav et al. 2023, untuned",
        reads=1,
        cost="n",
        survives="0",
        weights=True,
    )
    averages: ClassVar = False

    def __post_init__(self) -> None:
        _check_scale(self.scale)

    def solve(self, facts: Facts) -> WeightedSum:
        """A sum, not a mean."""
        return WeightedSum(self.scale * len(facts.weights) * facts.weights @ facts.transform)


@dataclass(frozen=True)
class Ties(Rule):
    """Keep the greatest `density` of each task vector, elect a sign, average the numbers that have it."""

    density: float = 0.2
    scale: float = 1.0

    card: ClassVar = Card(
        formula="keep the greatest `density` of |xᵢ|; sign s of Σ wᵢxᵢ; scale · mean of those of sign s",
        source="Yadav et al. 2023, algorithm 1",
        reads=2,
        cost="n, and a partial sort of each input",
        survives="0",
        weights=True,
    )
    needs_numbers: ClassVar = True
    averages: ClassVar = False

    def __post_init__(self) -> None:
        check_option(
            holds=0 < self.density <= 1, option="density", value=self.density, bounds="0 < density <= 1"
        )
        _check_scale(self.scale)

    def solve(self, facts: Facts) -> SignElection:
        """Each update's threshold: its ceil(density * P)-th greatest magnitude over the whole vector."""
        thresholds = [_threshold(facts.stack, row, self.density) for row in range(len(facts.stack))]
        stretch = np.diag(facts.transform).copy()  # clipping's: nothing is mixed before TIES
        return SignElection(facts.weights, stretch, np.array(thresholds), self.scale)


@dataclass(frozen=True)
class Dare(Rule):
    """Drop each number of each task vector at random, stretch the rest by 1 / (1 - drop), add them up scaled.

    An update's choice depends on `seed` and on its own content, not on its place in the list.
    """

    drop: float = 0.9
    seed: int = 0
    scale: float = 0.4

    card: ClassVar = Card(
        formula="scale · Σ n wᵢ mᵢ∘xᵢ/(1 - drop), mask mᵢ Bernoulli(1 - drop)",
        source="Yu et al. 2024, section 3, with task arithmetic",
        reads=2,
        cost="n, and a hash of each number's place",
        survives="0",
        weights=True,
    )
    needs_numbers: ClassVar = True
    averages: ClassVar = False

    def __post_init__(self) -> None:
        check_option(holds=0 <= self.drop < 1, option="drop", value=self.drop, bounds="0 <= drop < 1")
        check_option(holds=0 <= self.seed < 2**63, option="seed", value=self.seed, bounds="0 <= seed < 2^63")
        _check_scale(self.scale)

    def solve(self, facts: Facts) -> DroppedSum:
        """Task arithmetic's factors, and a key for each update's mask."""
        keys = np.array([_key(facts.stack, row, self.seed) for row in range(len(facts.stack))], np.uint64)
        factors = self.scale / (1 - self.drop) * len(facts.weights) * facts.weights @ facts.transform
        return DroppedSum(factors, keys, np.uint64(int(self.drop * 2**64)))


def _check_scale(scale: float) -> None:
    check_option(holds=0 < scale < np.inf, option="scale", value=scale, bounds="0 < scale")


def _threshold(stack: Stack, row: int, density: float) -> float:
    magnitudes = np.empty(stack.size, stack.dtype)
    for chunk in stack.chunks():
        exact = np.abs(decode(stack.columns[chunk.name][row], chunk.start, chunk.stop))
        rounded = exact.astype(stack.dtype)
        # Rounded towards zero, so that no number falls below a threshold that it set itself.
        magnitudes[chunk.offset + chunk.start : chunk.offset + chunk.stop] = np.where(
            rounded > exact, np.nextafter(rounded, 0, dtype=stack.dtype), rounded
        )
    if not stack.size:
        return 0.0
    rank = stack.size - int(np.ceil(density * stack.size))
    magnitudes.partition(rank)
    return float(magnitudes[rank])


def _key(stack: Stack, row: int, seed: int) -> int:
    digest = hashlib.sha256(seed.to_bytes(8, "little"))
    for name in stack.shapes:
        entry = stack.columns[name][row]
        for part in (entry.codes, entry.scales) if isinstance(entry, Quantised) else (entry,):
            digest.update(part.data)
    return int.from_bytes(digest.digest()[:8], "little")
