"""What blocks of controllers give: filters by hand, estimates and commands on something that swings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from envs.controllers.base import Block
from envs.controllers.filters import Hold, Integral, Mix, Rate, Slew, Smooth
from envs.controllers.oscillators import Oscillators
from envs.controllers.shaper import Shaper
from envs.values import Floats

DT = 0.02


def given(block: Block, *signals: Mapping[str, Sequence[float]], output: str = "") -> list[float]:
    """What one job's block gives after each of these signals, its first component."""
    arrays = [{name: np.array([value]) for name, value in each.items()} for each in signals]
    sizes = {name: value.shape[1] for name, value in arrays[0].items()}
    assert list(block.wrong(sizes, DT)) == []
    live = block.start(sizes, DT, 1)
    return [float(live.step(each.__getitem__)[output][0, 0]) for each in arrays]


def test_filters_give_what_they_say() -> None:
    x = [{"x": (value,)} for value in (1.0, 1.0, 3.0)]
    assert given(Smooth(kind="smooth", of="x", share=0.5), *x) == [0.5, 0.75, 1.875]
    assert given(Rate(kind="rate", of="x"), *x) == pytest.approx([0, 0, 100])
    assert given(Integral(kind="integral", of="x", limit=0.05), *x) == pytest.approx([0.02, 0.04, 0.05])
    assert given(Slew(kind="slew", of="x", most=75.0), *x) == pytest.approx([1.0, 1.0, 2.5])
    part = {"of": "x", "gain": 2.0, "schedule": {"by": ["x"], "at": [[1, 3]], "gain": [1, 5]}}
    mix = Mix.model_validate({"kind": "mix", "parts": [part, {"value": [1.0]}]})
    assert given(mix, *x) == pytest.approx([3, 3, 31])


def test_what_is_held_is_what_was_while_the_conditions_held() -> None:
    block = Hold.model_validate({"kind": "hold", "of": "x", "when": [{"of": "push", "above": 1.0}]})
    seen = [{"x": (x,), "push": (push, 0.0)} for x, push in ((1.0, 0.0), (2.0, 0.0), (3.0, -4.0), (4.0, 1.0))]
    assert given(block, *seen) == [1, 1, 3, 3]


def swing(hertz: float, accelerations: Floats, *, fine: int = 200) -> Floats:
    """Where a pendulum is under each of these, m below a hook; the exact one is the limit of many steps."""
    place, speed, found = 0.0, 0.0, []
    for push in accelerations:
        found.append(place)
        for _ in range(fine):
            speed += DT / fine * (2 * np.pi * hertz) ** 2 * (-0.01 * push - place)
            place += DT / fine * speed
    return np.array(found)


@pytest.mark.parametrize(("hertz", "delay"), [(0.8, 0), (1.3, 3), (2.1, 1)])
def test_what_swings_is_known_by_how_it_swings(hertz: float, delay: int) -> None:
    pushed = np.where(np.arange(100) % 40 < 10, 2.0, -0.5)
    place = swing(hertz, pushed) + np.random.default_rng(0).normal(0, 0.0003, 100)
    seen = np.concatenate([np.zeros(delay), place])[:100]
    block = Oscillators(
        kind="oscillators", of="seen", driven_by="push", gain=-0.01,
        frequencies=tuple(np.arange(0.5, 2.6, 0.1).round(2)), delays=(0, 1, 2, 3), spread=0.001,
    )  # fmt: skip
    # What drives in a step is what was felt since the last one.
    signals = [{"seen": (s,), "push": (p,)} for s, p in zip(seen, [0.0, *pushed[:-1]], strict=True)]
    assert given(block, *signals, output="frequency")[-1] == pytest.approx(hertz, abs=0.05)
    assert given(block, *signals, output="delay")[-1] == pytest.approx(delay, abs=0.2)
    doubts = given(block, *signals, output="doubt")
    assert doubts[0] == pytest.approx(np.std(np.arange(0.5, 2.6, 0.1)))
    assert doubts[-1] < 0.1


@pytest.mark.parametrize("hertz", [0.7, 1.15])
def test_a_shaped_command_leaves_nothing_swinging(hertz: float) -> None:
    command = np.where(np.arange(150) < 30, 1.0, 0.0)
    known = Shaper(kind="shaper", of="go", frequency=hertz, longest=1.0)
    told = Shaper(kind="shaper", of="go", frequency="hertz", longest=1.0)
    signals = [{"go": (each,), "hertz": (hertz,)} for each in command]
    shaped = given(known, *signals)
    assert given(told, *signals) == shaped
    assert sum(shaped) == pytest.approx(command.sum())
    plain, calm = (np.ptp(swing(hertz, np.array(each))[100:]) for each in (command, shaped))
    assert calm < 0.05 * plain


def test_a_shaper_remembers_no_longer_than_it_says() -> None:
    late = Shaper(kind="shaper", of="go", frequency=0.01, longest=0.04)
    assert given(late, *({"go": (each,)} for each in (1.0, 0.0, 0.0, 0.0))) == pytest.approx([0.5, 0, 0.5, 0])


def bank(of: str, driven_by: str, most: float) -> Oscillators:
    return Oscillators(
        kind="oscillators", of=of, driven_by=driven_by, gain=1.0, frequencies=(1.0, most), spread=1.0
    )


@pytest.mark.parametrize(
    ("block", "said"),
    [
        (Smooth(kind="smooth", of="y", share=0.5), "no observation 'y'"),
        (Shaper(kind="shaper", of="x", frequency="two", longest=1.0), "'two' is no observation of one"),
        (Shaper(kind="shaper", of="x", frequency=1.0, longest=6.0), "256 can be remembered"),
        (bank("x", "two", 2.0), "'two' 2"),
        (bank("x", "x", 25.0), "25 Hz"),
        (bank("w", "w", 2.0), "at most 4"),
    ],
)  # fmt: skip
def test_a_block_that_cannot_be_is_refused(block: Block, said: str) -> None:
    assert said in " ".join(block.wrong({"x": 1, "two": 2, "w": 5}, DT))
