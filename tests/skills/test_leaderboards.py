from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from skills.messages.leaderboards import BOARD, BoardPlan, draws_of


@given(st.integers(0, 2**63 - 1), st.integers(1, 10_000))
def test_draws_are_of_equal_size_and_at_least_as_many_as_asked(seed: int, episodes: int) -> None:
    draws = draws_of(seed, episodes)
    assert draws == draws_of(seed, episodes)
    assert [each.workshop for each in draws] == list(range(seed, seed + len(draws)))
    assert len({each.episodes for each in draws}) == 1
    total = sum(each.episodes for each in draws)
    assert episodes <= total < episodes + len(draws)
    assert max(each.episodes for each in draws) <= 32
    assert BoardPlan.model_validate_json(BoardPlan(seed=seed).model_dump_json()).seed == seed


def test_the_plan_of_all_boards_is_what_the_page_says() -> None:
    """Scores of older hubs compare only while this stays."""
    assert BOARD.model_dump_json() == '{"seed":40000,"episodes":64}'
    jobs = np.random.SeedSequence(40_000).generate_state(2).tolist()
    found = [(each.workshop, each.jobs, each.episodes) for each in BOARD.draws()]
    assert found == [(40_000, jobs[0], 32), (40_001, jobs[1], 32)]
