"""Options of commands that say how robots learn, and with which network."""

from __future__ import annotations

from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError

from skills.errors import RequestError
from skills.messages.training import Algorithm

__all__ = ["Figures", "Knobs", "Learner", "Network", "Sizes", "read_learner"]

Learner = Annotated[
    str,
    typer.Option(
        help="How is learned: a learner of docs/learning.md, such as ppo; else as the task advises."
    ),
]
Knobs = Annotated[
    list[str] | None,
    typer.Option("--knob", help="NAME=VALUE of the learner, such as discount=.98."),
]
Network = Annotated[
    str, typer.Option(help="Its kind: mlp, or gru and transformer, which remember; else as the task advises.")
]
Sizes = Annotated[
    list[str] | None,
    typer.Option("--size", help="NAME=NUMBER[,NUMBER] of it, such as hidden=64,64."),
]
Figures = Annotated[
    str,
    typer.Option(help="Where figures of the learning go, too: tensorboard:FOLDER or mlflow:ADDRESS."),
]


def read_learner(name: str, knobs: list[str] | None) -> Algorithm | None:
    """What `--learner` and `--knob` say; None where they say nothing.

    Raises:
        RequestError: There is no such learner, knob or value.
    """
    if not name and not knobs:
        return None
    if not name:
        raise RequestError("knobs of which learner?", where="--knob", remedy="Name it: --learner ppo.")
    wanted: dict[str, str] = {"algorithm": name}
    for each in knobs or ():
        knob, equals, value = each.partition("=")
        if not equals:
            raise RequestError(f"{each!r} has no value.", where="--knob", remedy="Write discount=.98.")
        wanted[knob] = value
    adapter: TypeAdapter[Algorithm] = TypeAdapter(Algorithm)
    try:
        return adapter.validate_python(wanted)
    except ValidationError as error:
        first = error.errors()[0]
        said = ".".join(str(part) for part in first["loc"] if part != name)
        raise RequestError(
            f"{first['msg'].removeprefix('Value error, ')}.",
            where=f"--knob {said}" if said else "--learner",
            remedy="docs/learning.md has the learners and their knobs.",
        ) from error
