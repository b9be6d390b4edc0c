"""The loop and a robot with faults: on time, never from a bad number, holding or stopped where it must."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from fleet.runtime.counters import Counters
from fleet.runtime.guards import Limits
from fleet.runtime.loop import Loop
from fleet.runtime.state import Standing
from skills.errors import ArtefactError
from tests.fleet.runtime.robots import CONTRACT, PERIOD, Always, Cart, Hands


class Rig:
    """A cart, a loop, and what it counted."""

    def __init__(self, limits: Limits | None = None, length: int = 20) -> None:
        self.clock, self.counters, self.player = Hands(), Counters(), Always()
        self.cart = Cart(self.clock, length)
        self.is_over: Callable[[], bool] = lambda: False
        self.loop = Loop(
            self.cart, CONTRACT, limits or Limits(), self.clock, self.counters, is_over=self._ends
        )

    def _ends(self) -> bool:
        return self.is_over()

    def counted(self, name: str) -> float:
        return self.counters.as_dict().get(name, 0.0)


def test_a_job_goes_on_at_the_contract_s_rate_and_ends_at_rest() -> None:
    rig = Rig()
    job = rig.loop.do_job(rig.player, 100)
    assert (job.outcome, job.periods) == ("done", 20)
    assert rig.cart.sent == [0.5] * 20
    assert np.allclose(np.diff(rig.cart.times), PERIOD)
    assert rig.cart.said[-1] == "hold"
    assert rig.counted("zunft_robot_periods_total") == 21
    assert rig.counted('zunft_robot_jobs_total{outcome="done"}') == 1
    assert rig.loop.do_job(rig.player, 5).outcome == "done"
    assert rig.player.begun == 2


def test_a_job_that_takes_too_long_is_given_up() -> None:
    rig = Rig(length=1000)
    assert rig.loop.do_job(rig.player, 7) == rig.loop.do_job(rig.player, 7)
    assert rig.cart.said.count("send") == 14


def test_periods_that_were_missed_are_left_out_and_not_made_up_for() -> None:
    rig = Rig(length=1000)

    def busy() -> None:
        rig.clock.time += 4.5 * PERIOD

    rig.cart.faults[5] = busy
    rig.loop.do_job(rig.player, 20)
    gaps = np.diff(rig.cart.times) / PERIOD
    assert gaps.min() > 0.99
    assert rig.counted("zunft_robot_late_total") == 4
    phases = (np.array(rig.cart.times) - rig.cart.times[0]) / PERIOD
    assert np.allclose(phases, phases.round())  # deadlines stay where they were


@pytest.mark.parametrize(
    ("fault", "guard"),
    [
        ("nan", "finite"),
        ("far", "sensed"),
        ("frozen", "fresh"),
        ("slow", "deadline"),
        ("wild", "action"),
        ("refused", "action"),
    ],
)
def test_what_may_not_be_acted_on_is_not_the_robot_holds_and_stops_when_it_lasts(
    fault: str, guard: str
) -> None:
    rig = Rig(Limits(patience=4), length=1000)

    def strike() -> None:
        if fault == "frozen":
            rig.cart.frozen = True
        elif fault in {"nan", "far"}:
            rig.cart.spoils = float("nan") if fault == "nan" else 21.0
        else:
            rig.player.wanted = wrong

    def wrong(_: object) -> float:
        if fault == "refused":
            raise ArtefactError("not finite")
        rig.clock.time += 0.9 * PERIOD * (fault == "slow")
        return float("inf") if fault == "wild" else 0.5

    rig.cart.faults[3] = strike
    job = rig.loop.do_job(rig.player, 100)
    assert job.outcome == "stopped"
    assert job.reason.startswith(guard)
    assert rig.counted(f'zunft_robot_guards_total{{guard="{guard}"}}') == 4
    moved = 2 + 2 * (fault == "frozen")  # three periods old is old enough; the first is of this very moment
    assert abs(rig.cart.said.count("send") - moved) <= 1
    assert np.isfinite(rig.cart.sent).all()
    assert rig.cart.said[-4:] == ["hold"] * 4
    assert rig.loop.standing.state == "stopped"


def test_a_short_fault_is_held_through() -> None:
    rig = Rig(Limits(patience=4))

    def spoil(number: float | None) -> Callable[[], None]:
        return lambda: setattr(rig.cart, "spoils", number)

    rig.cart.faults |= {3: spoil(float("nan")), 6: spoil(None)}
    assert rig.loop.do_job(rig.player, 100).outcome == "done"
    assert rig.cart.said == ["send"] * 2 + ["hold"] * 3 + ["send"] * 15 + ["hold"]


def test_after_a_hold_limits_count_from_rest() -> None:
    rig = Rig(Limits(slew={"speed": 5.0}))  # a tenth a period

    def spoil(number: float | None) -> Callable[[], None]:
        return lambda: setattr(rig.cart, "spoils", number)

    rig.cart.faults |= {8: spoil(float("nan")), 9: spoil(None)}
    rig.loop.do_job(rig.player, 100)
    assert rig.cart.sent[:9] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.5, 0.5, 0.1, 0.2])
    assert rig.counted('zunft_robot_guards_total{guard="slew"}') == 8


def test_a_robot_that_is_lost_is_stopped_at_once_and_moves_no_more() -> None:
    rig = Rig()
    rig.cart.faults[4] = lambda: setattr(rig.cart, "lost", True)
    job = rig.loop.do_job(rig.player, 100)
    assert (job.outcome, job.periods, job.reason) == ("stopped", 3, "robot: no answer.")
    rig.cart.lost = False
    again = rig.loop.do_job(rig.player, 100)
    assert again.outcome == "stopped"
    assert rig.cart.said.count("send") == 3


def test_one_that_stands_stopped_does_nothing() -> None:
    rig = Rig()
    rig.loop.standing = Standing("stopped", 0, "somebody is inside")
    assert rig.loop.do_job(rig.player, 100).reason == "somebody is inside"
    assert "send" not in rig.cart.said


def test_who_wants_it_to_end_sees_it_hold_within_that_period() -> None:
    rig = Rig(length=1000)
    rig.is_over = lambda: rig.cart.periods >= 5
    assert rig.loop.do_job(rig.player, 100).outcome == "ended"
    assert rig.cart.said == ["send"] * 5 + ["hold"]


def test_an_error_of_the_player_s_own_leaves_the_robot_holding() -> None:
    rig = Rig()

    def broken(_: object) -> float:
        raise RuntimeError("a bug")

    rig.cart.faults[3] = lambda: setattr(rig.player, "wanted", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        rig.loop.do_job(rig.player, 100)
    assert rig.cart.said == ["send", "send", "hold"]


def test_what_the_driver_really_sent_is_what_the_next_action_is_held_to() -> None:
    rig = Rig(Limits(slew={"speed": 5.0}))
    send = rig.cart.send
    rig.cart.send = lambda action: 0.5 * send(action)  # type: ignore[method-assign]
    rig.loop.do_job(rig.player, 4)
    assert rig.cart.sent == pytest.approx([0.1, 0.15, 0.175, 0.1875])


def test_counters_are_read_by_prometheus() -> None:
    rig = Rig()
    rig.loop.do_job(rig.player, 100)
    assert "zunft_robot_periods_total 21.0" in rig.counters.text()
    assert 'zunft_robot_jitter_seconds_bucket{le="0.0001"}' in rig.counters.text()
