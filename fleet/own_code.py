"""Code of whoever owns a robot, named on the command line: imported, called, and looked at.

It runs only what that owner installed there; nothing comes from a hub. An environment is
`fleet.own_robot`'s; a driver or a player, as here, needs neither Gymnasium nor a simulator.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from fleet.runtime.robot import Robot
from skills.errors import ContractError
from skills.player import Player

__all__ = ["Wanted", "load_driver", "load_player", "made", "refusal"]


class Wanted(NamedTuple):
    """What a function has to return, the function's usual name, and the option that names it."""

    option: str
    function: str
    what: str


DRIVER = Wanted("--robot", "make_robot", "an object with connect, observe, send, hold and disconnect")
PLAYER = Wanted("--player", "make_player", "an object with begin() and act(observation)")


def load_driver(reference: str) -> Robot:
    """A robot's driver, see `fleet.runtime.robot`; nothing is connected yet.

    Raises:
        ContractError: No such module or function, it fails, or it returns something else.
    """
    robot = made(reference, DRIVER)
    _check_has(robot, ("connect", "observe", "send", "hold", "disconnect"), reference, DRIVER)
    return robot  # type: ignore[return-value]  # looked at just now


def load_player(reference: str) -> Player:
    """Whoever acts, such as a person with a joystick.

    Raises:
        ContractError: No such module or function, it fails, or it returns something that cannot act.
    """
    player = made(reference, PLAYER)
    _check_has(player, ("begin", "act"), reference, PLAYER)
    return player  # type: ignore[return-value]  # looked at just now


def _check_has(found: object, methods: tuple[str, ...], reference: str, wanted: Wanted) -> None:
    lacking = [name for name in methods if not callable(getattr(found, name, None))]
    if lacking:
        raise refusal(reference, f"{type(found).__name__} has no {', '.join(lacking)}.", wanted)


def made(reference: str, wanted: Wanted) -> object:
    """Import `package.module:function`, and call it.

    Raises:
        ContractError: No such module or function, or it fails.
    """
    make = _find(reference, wanted)
    try:
        return make()
    except Exception as error:
        raise refusal(reference, f"calling it failed ({type(error).__name__}: {error}).", wanted) from error


def _find(reference: str, wanted: Wanted) -> Callable[[], object]:
    module_name, colon, name = reference.partition(":")
    if not (module_name and colon and name):
        raise refusal(reference, "this does not name a function.", wanted)
    # The robot's own code lies where the command is started; last, so that it shadows none of ours.
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        text = f"the module cannot be imported ({type(error).__name__}: {error})."
        raise refusal(reference, text, wanted) from error
    make = getattr(module, name, None)
    if not callable(make):
        raise refusal(reference, f"{module.__file__} has no function {name!r}.", wanted)
    return make  # type: ignore[no-any-return]


def refusal(reference: str, message: str, wanted: Wanted) -> ContractError:
    """The error that says what is wrong with what was named, and what to write instead."""
    return ContractError(
        message,
        where=f"{wanted.option} {reference}",
        remedy=f"Write package.module:{wanted.function}, a function without arguments that returns "
        f"{wanted.what}.",
    )
