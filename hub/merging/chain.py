"""The chain of a merge: clip, mix, rule; what stands before it is admission, after it the server optimiser.

Clipping and mixing are linear in the updates once their lengths and distances are known, so they are
matrices here and cost no pass of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub.merging.errors import MergeError
from hub.merging.rules import Facts, Rule, make_rule
from hub.merging.rules.lineages import Dare, TaskArithmetic, Ties
from hub.merging.stack import Stack

__all__ = ["Chain", "make_chain"]

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Chain:
    """What happens to admitted updates.

    Attributes:
        rule: The last link.
        clip: Updates longer than so many times the median length are scaled down to it; None: none is.
        mixing: How many bad robots nearest-neighbour mixing guards against; None: no mixing.
    """

    rule: Rule
    clip: float | None = None
    mixing: int | None = None

    def check(self, count: int) -> None:
        """Hold a number of updates to what rule and mixing need.

        Raises:
            MergeError: Too few.
        """
        self.rule.check(count)
        if self.mixing is not None and count < 2 * self.mixing + 1:
            raise MergeError(
                f"mixing against {self.mixing} bad robots needs {2 * self.mixing + 1} updates, not {count}.",
                where="mixing",
                remedy="Wait for more robots (a larger quorum), or lower byzantine.",
                code="too_few_updates",
            )

    @property
    def needs_gram(self) -> bool:
        """Whether the inner products must be gathered first."""
        return self.rule.needs_gram or self.clip is not None or self.mixing is not None

    def facts(
        self,
        stack: Stack,
        weights: NDArray[np.float64],
        gram: Matrix | None,
        root: NDArray[np.float64] | None,
    ) -> Facts:
        """What the rule sees, after clipping and mixing.

        Args:
            stack: n updates, and after them the root update if that is one of its own.
            weights: (n,), sum 1.
            gram: (rows, rows) inner products of the stack's rows.
            root: (rows,) factors of the root update, None without one.
        """
        count = len(weights)
        transform = np.eye(count, len(stack))
        if self.clip is not None and gram is not None:
            transform *= clipping(gram[:count, :count], self.clip)[:, None]
        if self.mixing is not None and gram is not None:
            transform = mixing(transform @ gram @ transform.T, self.mixing) @ transform
        if gram is None:
            return Facts(weights, transform, None, None, 0.0, stack)
        inner = transform @ gram @ transform.T
        if root is None:
            return Facts(weights, transform, inner, None, 0.0, stack)
        length = sqrt(max(0.0, float(root @ gram @ root)))
        return Facts(weights, transform, inner, transform @ gram @ root, length, stack)


def make_chain(
    rule: str, options: Mapping[str, Any] | None = None, *, clip: float | None = None, mixing: bool = False
) -> Chain:
    """A chain from plain settings.

    Raises:
        MergeError: Unknown rule or option, a value that makes no sense, mixing without `byzantine`.
    """
    options = dict(options or {})
    if clip is not None and not (isfinite(clip) and clip > 0):
        raise MergeError(f"clip {clip} is not a positive number.", where="clip", remedy="Try 2 or 3.")
    made = make_rule(rule, options)
    if not mixing:
        return Chain(made, clip)
    if isinstance(made, TaskArithmetic | Ties | Dare):
        raise MergeError(
            f"mixing makes no sense before {rule}.", where="mixing", remedy="Mix before robust rules only."
        )
    byzantine = getattr(made, "byzantine", 0)
    if not byzantine:
        raise MergeError(
            "mixing needs to know how many bad robots to guard against.",
            where="options.byzantine",
            remedy="Set byzantine to 1 or more, with a rule that takes it.",
        )
    return Chain(made, clip, byzantine)


def clipping(gram: Matrix, limit: float) -> NDArray[np.float64]:
    """(n,) factors of at most 1 that bring each length down to `limit` times the median length."""
    lengths = np.sqrt(np.maximum(np.diag(gram), 0.0))
    allowed = limit * float(np.median(lengths))
    return np.minimum(1.0, allowed / np.maximum(lengths, np.finfo(np.float64).tiny))


def mixing(gram: Matrix, byzantine: int) -> Matrix:
    """(n, n) rows that replace each update by the mean of its n - f nearest, itself included.

    Source: Allouah et al. 2023, "Fixing by Mixing", algorithm 1 (nearest-neighbour mixing).
    """
    squares = np.diag(gram)
    distances = squares[:, None] + squares[None, :] - 2 * gram
    np.fill_diagonal(distances, -np.inf)
    nearest = np.argsort(distances, axis=1, kind="stable")[:, : len(gram) - byzantine]
    rows = np.zeros(gram.shape)
    np.put_along_axis(rows, nearest, 1 / nearest.shape[1], axis=1)
    return rows
