"""How many liars a tree of halls survives under a robust rule at each level: docs/merging.md states it."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.merging import merge_arrays

HALLS, ROBOTS, SURVIVES = 5, 5, 2  # a median of five survives two
ANYWHERE = (SURVIVES + 1) * (SURVIVES + 1) - 1
places = st.sets(st.integers(0, HALLS * ROBOTS - 1), max_size=ANYWHERE)


def median_of_medians(liars: Collection[int]) -> float:
    """Honest robots bring numbers from 0 to 1, liars a million."""
    brought = [1e6 if number in liars else number / (HALLS * ROBOTS) for number in range(HALLS * ROBOTS)]
    halls = [brought[n * ROBOTS : (n + 1) * ROBOTS] for n in range(HALLS)]
    return median([median(each) for each in halls])


def median(numbers: list[float]) -> float:
    return float(merge_arrays([{"w": np.array([each])} for each in numbers], rule="median")["w"][0])


@settings(deadline=None, max_examples=100)
@given(places)
def test_so_many_liars_are_survived_wherever_they_are(liars: set[int]) -> None:
    assert 0 <= median_of_medians(liars) <= 1


def test_one_more_is_not_where_they_gather() -> None:
    gathered = {hall * ROBOTS + n for hall in range(SURVIVES + 1) for n in range(SURVIVES + 1)}
    assert len(gathered) == ANYWHERE + 1
    assert median_of_medians(gathered) > 1


def test_more_are_where_they_fill_whole_halls() -> None:
    filled = set(range(SURVIVES * ROBOTS))
    filled |= {hall * ROBOTS + n for hall in range(SURVIVES, HALLS) for n in range(SURVIVES)}
    assert len(filled) == SURVIVES * ROBOTS + (HALLS - SURVIVES) * SURVIVES
    assert 0 <= median_of_medians(filled) <= 1
