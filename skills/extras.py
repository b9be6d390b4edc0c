"""Which packages belong to which extra of the distribution, and the error that names the one that is missing.

`pip install zunft` brings what a robot needs to sync and run skills; what is imported beyond that belongs to
an extra and is imported where it is needed. The command line turns what is missing into `MissingExtraError`.
"""

from __future__ import annotations

from importlib.util import find_spec

from skills.errors import ZunftError

__all__ = ["EXTRAS", "MissingExtraError", "installed", "named"]

EXTRAS = {
    "train": ("gymnasium", "imageio", "matplotlib", "mujoco", "ray", "torch", "zstandard"),
    "hub": (
        "alembic",
        "authlib",
        "babel",
        "fastapi",
        "httptools",
        "joserfc",
        "minio",
        "nicegui",
        "numba",
        "psycopg",
        "segno",
        "sqlalchemy",
        "starlette",
        "structlog",
        "uvicorn",
        "websockets",
    ),
    "onnx": ("onnx", "onnxruntime"),
}
"""Importable names; of those that two extras have, the first is named."""


class MissingExtraError(ZunftError):
    """Something was asked for that needs packages beyond what a robot needs.

    Args:
        extra: Which has them.
        where: What needs them, or which is missing.
    """

    code = "missing_extra"
    status = 501

    def __init__(self, extra: str, *, where: str) -> None:
        super().__init__(f"needs zunft[{extra}]:", where=where, remedy=f"pip install 'zunft[{extra}]'")


def installed(extra: str) -> bool:
    """Whether all of an extra's packages are here; none is imported."""
    return all(find_spec(name) is not None for name in EXTRAS[extra])


def named(error: ImportError) -> MissingExtraError | None:
    """The extra that has what could not be imported; None where no extra has it."""
    package = (error.name or "").partition(".")[0]
    for extra, names in EXTRAS.items():
        if package in names:
            return MissingExtraError(extra, where=f"no package {package!r} here")
    return None
