"""Where each simulation's job lies: the frame that robot, quantities and policy share.

The home frame is the tool's frame in the home pose, z up. The job frame is the home frame turned about
z by the job's `heading`, and quantities are measured from the job's `origin`; both are fixed for an
episode. No joint appears in either.
"""

from __future__ import annotations

import numpy as np

from envs.values import Floats, Indices

__all__ = ["Frame"]


class Frame:
    """`count` job frames; `origin` (count, 3) is in turned home coordinates, m."""

    def __init__(self, count: int) -> None:
        self.cos, self.sin = np.ones(count), np.zeros(count)
        self.origin = np.zeros((count, 3))

    def turn_to(self, copies: Indices, heading: Floats) -> None:
        """Give these copies new headings (copies,), rad."""
        self.cos[copies], self.sin[copies] = np.cos(heading), np.sin(heading)

    def into_job(self, vectors: Floats) -> Floats:
        """Vectors (count, 3) or poses (count, 6) of the home frame, in the job frame."""
        return _turned(vectors, self.cos, self.sin)

    def into_home(self, vectors: Floats) -> Floats:
        """Vectors (count, 3) or poses (count, 6) of the job frame, in the home frame."""
        return _turned(vectors, self.cos, -self.sin)

    def points_in_home(self, copy: int, points: Floats) -> Floats:
        """Points (rows, 3) given from one job's origin, in home coordinates: for pictures."""
        x, y, z = (points + self.origin[copy]).T
        cos, sin = self.cos[copy], self.sin[copy]
        return np.stack([cos * x - sin * y, sin * x + cos * y, z], axis=1)


def _turned(vectors: Floats, cos: Floats, sin: Floats) -> Floats:
    """Components of threes of numbers in axes that are turned about z."""
    x, y = vectors[:, ::3], vectors[:, 1::3]
    cos, sin = cos[:, None], sin[:, None]
    found = vectors.copy()
    found[:, ::3] = cos * x + sin * y
    found[:, 1::3] = cos * y - sin * x
    return found
