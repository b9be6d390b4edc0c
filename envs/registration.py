"""Names for `gymnasium.make` and `gymnasium.make_vec`; imports no physics until one is made.

Without an `import envs` of its own a script writes `gymnasium.make("envs:zunft/WeldSeam-v1")`.
"""

from __future__ import annotations

from importlib.util import find_spec

from envs.bundle import bundle_names

__all__ = ["register", "registered_name"]


def registered_name(task: str) -> str:
    """Gymnasium's name of a task: `weld-seam` is `zunft/WeldSeam-v1`."""
    return f"zunft/{''.join(word.capitalize() for word in task.split('-'))}-v1"


def register() -> None:
    """Register what is not yet there; without Gymnasium nobody asks it for anything."""
    if find_spec("gymnasium") is None:
        return
    import gymnasium  # noqa: PLC0415 - of the extra `train`

    for task in bundle_names():
        if registered_name(task) not in gymnasium.registry:
            gymnasium.register(
                registered_name(task),
                entry_point="envs.single:TaskEnv",
                vector_entry_point="envs.single:make_registered",
                kwargs={"task": task},
            )
