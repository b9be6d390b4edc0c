"""When a version may be changed, and what hinders it."""

from __future__ import annotations

from datetime import datetime

import pytest
from pydantic import ValidationError

from fleet.robot_folder import Memory, Seen
from fleet.updates import Updates

DIGEST = "sha256:" + "0" * 64


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-03-01T{text}")


@pytest.mark.parametrize(
    ("window", "time", "is_open"),
    [
        ("", "12:00", True),
        ("12:00-13:00", "12:00", True),
        ("12:00-13:00", "13:00", False),
        ("22:00-05:30", "23:59", True),
        ("22:00-05:30", "05:29", True),
        ("22:00-05:30", "05:30", False),
    ],
)
def test_a_window_is_by_the_robot_s_own_day(window: str, time: str, is_open: bool) -> None:
    assert Updates(window=window).is_open(at(time)) == is_open


@pytest.mark.parametrize("window", ["22-5", "24:00-05:00", "22:00 - 05:00", "always"])
def test_what_is_no_window_is_refused(window: str) -> None:
    with pytest.raises(ValidationError):
        Updates(window=window)


def test_what_the_guild_calls_unsafe_waits_for_no_window_but_still_for_a_person() -> None:
    memory = Memory().use(DIGEST, 3).model_copy(update={"seen": Seen(root=1, counter=1, lowest=4)})
    shut = Updates(window="22:00-05:00")
    assert shut.hindrance(memory, at("12:00"), tried=True) == ""
    assert "window" in shut.hindrance(Memory().use(DIGEST, 4), at("12:00"), tried=True)
    assert "consent" in shut.hindrance(memory, at("12:00"), tried=False)
    assert "consent" in Updates(supervised=True).hindrance(memory, at("12:00"), tried=True)
