"""Names for `gymnasium.make` and `gymnasium.make_vec`; imports no physics until one is made.

Without an `import envs` of its own a script writes `gymnasium.make("envs:zunft/WeldSeam-v1")`.
"""

from __future__ import annotations

import gymnasium

__all__ = ["WELD_SEAM", "register"]

WELD_SEAM = "zunft/WeldSeam-v1"


def register() -> None:
    """Register what is not yet there."""
    if WELD_SEAM not in gymnasium.registry:
        gymnasium.register(
            WELD_SEAM,
            entry_point="envs.single:WeldSeamEnv",
            vector_entry_point="envs.single:make_registered",
        )
