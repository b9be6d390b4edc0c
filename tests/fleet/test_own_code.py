"""Code of a robot's owner, named on the command line: a driver or a player, and what is neither."""

from __future__ import annotations

import pytest

from fleet.own_code import load_driver, load_player
from skills.errors import ContractError


class Arm:
    def connect(self) -> None: ...
    def observe(self) -> None: ...
    def send(self, action: object) -> object:
        return action

    def hold(self) -> None: ...
    def disconnect(self) -> None: ...


def make_robot() -> Arm:
    return Arm()


def make_nothing() -> object:
    return object()


def test_a_driver_is_what_has_the_five_methods() -> None:
    assert isinstance(load_driver(f"{__name__}:make_robot"), Arm)


def test_what_lacks_some_is_named_with_what_to_write() -> None:
    with pytest.raises(ContractError, match="no connect, observe, send, hold, disconnect") as refused:
        load_driver(f"{__name__}:make_nothing")
    assert "package.module:make_robot" in refused.value.remedy
    with pytest.raises(ContractError, match="no begin, act"):
        load_player(f"{__name__}:make_nothing")


@pytest.mark.parametrize("reference", ["nothing", f"{__name__}:absent", "no_such_module:make_robot"])
def test_what_names_no_function_is_refused(reference: str) -> None:
    with pytest.raises(ContractError):
        load_driver(reference)
