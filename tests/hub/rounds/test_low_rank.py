"""Campaigns of factors: what an order may say, what is refused of a delta, and what a round makes of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from skills.delta import matrices_of_delta
from skills.low_rank import A, B, factors_of
from skills.skill import Skill
from tests.hub.conftest import Hall, Robot, asked_tensors, ok, tiny_skill

BASE = tiny_skill()
ORDER: dict[str, Any] = {
    "quorum": 2,
    "training": {"low_rank": {"rank": 1}, "clip_norm": 100, "codec": "raw"},
    "merge": {"step": 1.0},
}


@pytest.fixture
def robots(hall: Hall) -> list[Robot]:
    ok(hall.publish(BASE))
    return [hall.enrol(f"robot {number}") for number in range(2)]


@pytest.mark.usefixtures("robots")
@pytest.mark.parametrize(
    ("changes", "where", "why"),
    [
        ({"merge": {"rule": "median"}}, "merge.rule", "median looks at single numbers"),
        ({"merge": {"momentum": 0.5}}, "merge.optimiser", "keeps a number for each weight"),
        (
            {"training": {"low_rank": {"rank": 1, "matrices": ["arm.*"]}}},
            "training.low_rank.matrices",
            "'arm.*' names no matrix",
        ),
        ({"then": [{"rounds": 1, "training": {"low_rank": {"rank": 500}}}]}, "low_rank", "rank 500"),
    ],
)
def test_an_order_that_factors_cannot_keep_is_refused(
    hall: Hall, changes: dict[str, Any], where: str, why: str
) -> None:
    answer = hall.post("/campaigns", {"skill": "reach", **ORDER, **changes})
    assert answer.status_code in {409, 422}, answer.text
    error = answer.json()["error"]
    assert where in error["where"]
    assert why in error["message"]


def test_a_round_moves_the_skill_by_the_mean_of_products(hall: Hall, robots: list[Robot]) -> None:
    hall.start(**ORDER)
    hall.turn()
    products: list[dict[str, Any]] = []
    for seed, robot in enumerate(robots):
        work = robot.assignment()
        assert work is not None
        tensors = asked_tensors(BASE, work.training, seed)
        matrices = matrices_of_delta(BASE.manifest, work.training)
        pairs = factors_of(tensors, matrices, BASE.digest)
        products.append({name: left @ right for name, (left, right) in pairs.items()})
        ok(robot.push(work.round_id, robot.delta(work, tensors, samples=100)))
    hall.turn()
    made = hall.version("stable")
    assert made.version == 2
    skill = Skill.from_bytes(hall.services.storage.store.get(made.digest))
    for name in products[0]:
        mean = sum(each[name] for each in products) / 2
        np.testing.assert_allclose(skill.tensors[name], BASE.tensors[name] + mean, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("suffix", "size", "code"),
    [(B, 1e4, "norm_too_large"), (A, 1e4, "norm_too_large"), (A, 1e9, "out_of_bounds")],
)
def test_a_long_product_is_refused_whichever_factor_made_it(
    hall: Hall, robots: list[Robot], suffix: str, size: float, code: str
) -> None:
    hall.start(**ORDER)
    hall.turn()
    work = robots[0].assignment()
    assert work is not None
    tensors = asked_tensors(BASE, work.training, 0)
    long = {name: size * each if name.endswith(suffix) else each for name, each in tensors.items()}
    answer = robots[0].push(work.round_id, robots[0].delta(work, long))
    assert answer.json()["error"]["code"] == code
    ok(robots[0].push(work.round_id, robots[0].delta(work, tensors)))
