"""Settings of hubs and robots for commands: from the environment, with options before them.

What each may be is left to their classes (`hub.settings`, `fleet.settings`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsError

from skills.errors import RequestError
from zunft.commands.connection import in_words

if TYPE_CHECKING:
    from hub.settings import Settings

__all__ = ["DataDir", "hub_settings", "settings_of"]

DataDir = Annotated[
    Path | None,
    typer.Option(help="The hub's folder; other settings come from the environment, as for the hub."),
]

S = TypeVar("S", bound=BaseSettings)


def hub_settings(**options: Any) -> Settings:
    """A hub's settings; options that are None were not given.

    Raises:
        RequestError: See `settings_of`.
    """
    from hub.settings import Settings  # noqa: PLC0415 - other commands do without the hub's modules

    return settings_of(Settings, **options)


def settings_of(kind: type[S], **options: Any) -> S:
    """The environment's settings, options that are not None before them.

    Raises:
        RequestError: One has a value that cannot be; its variable or option is named.
    """
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return kind(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name, message = str(next(iter(first["loc"]), "...")), in_words(first)
    except SettingsError as error:
        name = next(name for name in kind.model_fields if f'"{name}"' in str(error))
        message = "this is no JSON."
    variable = f"{kind.model_config.get('env_prefix', '')}{name.upper()}"
    where = f"--{name.replace('_', '-')}" if name in given else variable
    raise RequestError(message, where=where, remedy="docs/settings.md says what it may be.", code="usage")
