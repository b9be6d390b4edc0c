from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hub.webhooks.schedule import LONGEST_REST, Schedule


@given(st.integers(1, 9), st.floats(0, 0.999))
def test_each_wait_is_three_times_longer_give_or_take_half(failures: int, chance: float) -> None:
    wait = Schedule(5, 10, lambda: chance).wait(failures)
    assert wait is not None
    middle = 5 * 3 ** (failures - 1)
    assert 0.5 * middle <= wait.total_seconds() <= 1.5 * middle


def test_after_the_last_attempt_there_is_no_wait() -> None:
    schedule = Schedule(5, 3, lambda: 0.5)
    assert [schedule.wait(failures) is None for failures in (1, 2, 3, 4)] == [False, False, True, True]


@given(st.integers(1, 100_000), st.floats(0, 0.999))
def test_a_rest_is_never_long(failures: int, chance: float) -> None:
    assert Schedule(5, 10, lambda: chance).rest(failures) <= 1.5 * LONGEST_REST
