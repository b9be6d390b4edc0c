"""What `merge_arrays` refuses, and that it says where the fault is and what to do."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest

from hub.merging import MergeError, merge_arrays
from hub.merging.rules import RULES, make_rule
from skills.errors import ArtefactError, ZunftError
from skills.messages.plans import RuleName
from tests.hub.merging.samples import matrix_updates

NEEDED = {  # the least number of updates against f bad ones, from the papers
    "median": lambda f: 2 * f + 1,
    "geometric-median": lambda f: 2 * f + 1,
    "centred-clipping": lambda f: 2 * f + 1,
    "mda": lambda f: 2 * f + 1,
    "krum": lambda f: 2 * f + 3,
    "multi-krum": lambda f: 2 * f + 3,
    "bulyan": lambda f: 4 * f + 3,
}
BAD_OPTIONS: list[tuple[str, dict[str, Any]]] = [
    ("average", {}),
    ("", {}),
    ("mean", {"trim": 0.1}),
    ("mean", {"clip": 0.0}),
    ("mean", {"clip": -1.0}),
    ("mean", {"clip": np.nan}),
    ("mean", {"clip": np.inf}),
    ("mean", {"mixing": True}),
    ("median", {"mixing": True}),
    ("median", {"mixing": True, "byzantine": 0}),
    ("median", {"byzantine": -1}),
    ("median", {"byzantine": 1.5}),
    ("median", {"byzantine": "2"}),
    ("median", {"byzantine": True}),
    ("median", {"byzantine": np.nan}),
    ("ties", {"mixing": True, "byzantine": 1}),
    ("trimmed-mean", {"trim": 0.5}),
    ("trimmed-mean", {"trim": -0.1}),
    ("trimmed-mean", {"trim": np.nan}),
    ("trimmed-mean", {"trim": 0.1, "byzantine": 2}),
    ("krum", {}),
    ("krum", {"byzantine": None}),
    ("multi-krum", {"byzantine": 1, "select": 0}),
    ("multi-krum", {"byzantine": 1, "select": 11}),
    ("geometric-median", {"smoothing": 0.0}),
    ("geometric-median", {"smoothing": np.nan}),
    ("geometric-median", {"iterations": 0}),
    ("centred-clipping", {"radius": 0.0}),
    ("centred-clipping", {"radius": np.inf}),
    ("centred-clipping", {"iterations": 0}),
    ("mda", {"byzantine": 10**9}),
    ("ties", {"density": 0.0}),
    ("ties", {"density": 1.01}),
    ("ties", {"scale": np.inf}),
    ("task-arithmetic", {"scale": 0.0}),
    ("dare", {"drop": 1.0}),
    ("dare", {"drop": -0.1}),
    ("dare", {"seed": -1}),
    ("dare", {"seed": 0.5}),
    ("fltrust", {}),
]


@pytest.mark.parametrize(("rule", "settings"), BAD_OPTIONS)
def test_a_bad_setting_is_refused_with_a_remedy(rule: str, settings: dict[str, Any]) -> None:
    updates = matrix_updates(np.ones((11, 2)))
    with pytest.raises(MergeError) as refusal:
        merge_arrays(updates, rule=rule, **settings)
    assert refusal.value.where
    assert refusal.value.remedy


@pytest.mark.parametrize("rule", sorted(NEEDED))
def test_too_few_updates_for_the_assumed_number_of_bad_ones_are_refused(rule: str) -> None:
    for byzantine in range(5):
        needed = NEEDED[rule](byzantine)
        make_rule(rule, {"byzantine": byzantine}).check(needed)
        merge_arrays(matrix_updates(np.ones((needed, 2))), rule=rule, byzantine=byzantine)
        if needed > 1:
            with pytest.raises(MergeError) as refusal:
                make_rule(rule, {"byzantine": byzantine}).check(needed - 1)
            assert refusal.value.code == "too_few_updates"
            with pytest.raises(MergeError):
                merge_arrays(matrix_updates(np.ones((needed - 1, 2))), rule=rule, byzantine=byzantine)


def test_updates_without_weight_do_not_help_against_bad_ones() -> None:
    with pytest.raises(MergeError, match="7 updates or more, not 6"):
        merge_arrays(matrix_updates(np.ones((7, 2))), [1.0] * 6 + [0.0], rule="krum", byzantine=2)


GOOD: dict[str, Any] = {"w": np.ones(2), "b": np.ones(3)}
OF_ANOTHER_NETWORK: list[dict[str, Any]] = [
    {"w": np.ones(2)},
    {**GOOD, "c": np.ones(1)},
    {**GOOD, "w": np.ones(3)},
    {**GOOD, "w": np.ones((2, 1))},
    {**GOOD, "w": np.ones(2, np.int64)},
    {**GOOD, "w": np.ones(2, np.complex64)},
    {**GOOD, "w": np.array(["1", "2"])},
    {**GOOD, "w": np.array([1.0, None])},
    {**GOOD, "w": [1.0, 2.0]},
]


@pytest.mark.parametrize("bad", OF_ANOTHER_NETWORK)
def test_updates_of_different_networks_are_refused(bad: dict[str, Any]) -> None:
    for rule in sorted(RULES):
        settings: dict[str, Any] = {"byzantine": 0} if rule in {"krum", "multi-krum", "bulyan", "mda"} else {}
        if rule == "fltrust":
            settings = {"root": GOOD}
            with pytest.raises(ArtefactError):
                merge_arrays([GOOD, GOOD], rule=rule, root=bad)
        with pytest.raises(ArtefactError) as refusal:
            merge_arrays([GOOD, GOOD, bad], rule=rule, **settings)
        assert refusal.value.where in {"w", "b", "c"}


@pytest.mark.parametrize("root", [None, [1.0], [1.0, np.nan, 1.0], [1.0] * 4])
def test_a_root_that_is_none_is_refused(root: Any) -> None:
    with pytest.raises(ZunftError) as refusal:
        merge_arrays(matrix_updates(np.ones((3, 2))), rule="fltrust", root=root)
    assert refusal.value.where == "root"
    with pytest.raises(MergeError, match="root"):
        merge_arrays(matrix_updates(np.ones((3, 2))), rule="mean", root=[1.0, 1.0, 1.0])


def test_a_campaign_may_order_every_rule_and_no_other() -> None:
    assert set(get_args(RuleName)) == set(RULES)
