"""Bounds: what lies outside is refused in a file and brought back by a merge; nothing inside is touched."""

from __future__ import annotations

import numpy as np
import pytest

from skills.bounds import LOG_STD, WEIGHT_LIMIT, bounded
from skills.errors import ArtefactError
from skills.skill import Skill
from tests.skills.samples import small_skill


def changed(name: str, number: float) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    tensors = {each: tensor.copy() for each, tensor in small_skill().tensors.items()}
    tensors[name].reshape(-1)[-1] = number
    return tensors


@pytest.mark.parametrize("name", ["actor.0.weight", "critic.2.bias", "log_std"])
@pytest.mark.parametrize("number", [3e38, -1.1 * WEIGHT_LIMIT])
def test_a_weight_beyond_the_bound_is_refused_by_name(name: str, number: float) -> None:
    with pytest.raises(ArtefactError, match="beyond 1e") as caught:
        Skill(small_skill().manifest, changed(name, number))
    assert (caught.value.where, caught.value.code) == (name, "out_of_bounds")


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_still_called_so(number: float) -> None:
    with pytest.raises(ArtefactError, match="NaN") as caught:
        Skill(small_skill().manifest, changed("actor.1.weight", number))
    assert caught.value.code == "not_finite"


def test_a_weight_at_the_bound_is_taken() -> None:
    Skill(small_skill().manifest, changed("actor.1.weight", WEIGHT_LIMIT))


def test_what_is_brought_back_keeps_its_kind_and_all_that_was_inside() -> None:
    numbers = np.array([-np.inf, -3e38, -2.0, 0.5, np.inf], np.float32)
    found = bounded("actor.0.weight", numbers)
    assert found.dtype == np.float32
    assert found.tolist() == [-WEIGHT_LIMIT, -WEIGHT_LIMIT, -2.0, 0.5, WEIGHT_LIMIT]
    assert bounded("training.second.log_std", numbers).tolist() == [0, 0, 0, 0.5, WEIGHT_LIMIT]
    assert bounded("log_std", numbers).tolist() == [LOG_STD[0], LOG_STD[0], -2.0, LOG_STD[1], LOG_STD[1]]
