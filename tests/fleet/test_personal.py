"""The personal layer: home never worse than the guild's skill, whatever the scores; luck is found out."""

from __future__ import annotations

from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.evaluate import evaluate
from envs.workshop import data_sheet
from fleet.personal import SHARES, Tuning, best_mix, mix, personalise
from skills.bounds import LOG_STD, WEIGHT_LIMIT
from skills.container import Tensors
from skills.errors import ArtefactError, ContractError
from skills.parts import carried_shapes
from skills.policy import Policy
from skills.skill import Skill
from tests.envs.bundles import small_task
from tests.fleet.small_robot import SmallPlace
from tests.skills.samples import small_skill
from zunft.new_skill import new_skill

GUILD = small_skill(seed=1)
SCORES = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.floats(allow_nan=True, allow_infinity=False))


def tuned(seed: int = 2, size: float = 0.1) -> Tensors:
    random = np.random.default_rng(seed)
    return {
        name: np.clip(tensor + size * random.standard_normal(tensor.shape), *_bounds(name)).astype(np.float32)
        for name, tensor in GUILD.tensors.items()
    }


def _bounds(name: str) -> tuple[float, float]:
    return LOG_STD if name == "log_std" else (-WEIGHT_LIMIT, WEIGHT_LIMIT)


@given(st.lists(SCORES, min_size=4, max_size=4))
def test_home_is_never_worse_than_the_guild_s_and_ties_are_the_guild_s(scores: list[float]) -> None:
    own = tuned()
    by_digest = {mix(GUILD, own, share).digest: score for share, score in zip(SHARES, scores, strict=True)}
    found = best_mix(GUILD, own, lambda skill: by_digest[skill.digest])
    assert list(found.scores) == list(SHARES)
    if isnan(scores[0]):
        assert found.share == 0.0
        return
    known = [score for score in scores if not isnan(score)]
    assert found.scores[found.share] == max(known) >= found.scores[0.0]
    assert found.share == SHARES[scores.index(max(known))]
    assert (found.skill is GUILD) == (scores[0] == max(known))
    assert by_digest[found.skill.digest] == max(known)


@given(st.floats(0, 1), st.integers(0, 100), st.sampled_from([1e-6, 0.1, 10.0, 1e7]))
def test_a_mix_lies_between_both_and_is_a_skill(share: float, seed: int, size: float) -> None:
    own = tuned(seed, size)
    found = mix(GUILD, own, share)
    for name, tensor in found.tensors.items():
        low, high = np.minimum(GUILD.tensors[name], own[name]), np.maximum(GUILD.tensors[name], own[name])
        assert ((low <= tensor) & (tensor <= high)).all()
    assert found.manifest == GUILD.manifest


def test_the_ends_are_the_guild_s_and_the_tuned_weights_bit_for_bit() -> None:
    own = tuned(size=1e6) | {"actor.0.bias": np.full(8, 1e-30, np.float32)}
    assert mix(GUILD, own, 0.0) is GUILD
    for name, tensor in mix(GUILD, own, 1.0).tensors.items():
        np.testing.assert_array_equal(tensor, own[name])


def test_the_guild_s_is_tried_where_it_was_not_asked_for_and_each_share_once() -> None:
    tried: list[Skill] = []

    def score(skill: Skill) -> float:
        tried.append(skill)
        return float(len(tried) == 1)

    found = best_mix(GUILD, tuned(), score, [0.5, 0.5, 1.0])
    assert (found.share, found.scores) == (0.0, {0.0: 1.0, 0.5: 0.0, 1.0: 0.0})
    assert len(tried) == 3


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_beyond_its_range_is_refused(share: float) -> None:
    with pytest.raises(ContractError, match="no share"):
        best_mix(GUILD, tuned(), lambda _skill: 0.0, [share])


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_weights_of_another_network_or_beyond_bounds_are_refused(share: float) -> None:
    for broken in (np.zeros(9, np.float32), np.full(8, np.nan, np.float32), np.full(8, 1e9, np.float32)):
        with pytest.raises(ArtefactError):
            best_mix(GUILD, tuned() | {"actor.0.bias": broken}, lambda _skill: 0.0, [share])


def test_it_holds_for_scores_of_a_simulated_home(tmp_path: Path) -> None:
    task = small_task(tmp_path)
    shop = data_sheet(task.bundle, "panda")
    guild, other = new_skill(task, seed=0), new_skill(task, seed=1)

    def at_home(skill: Skill) -> float:
        return evaluate(Policy(skill), task, shop, 4, seed=3).mean_return or 0.0

    there, back = best_mix(guild, other.tensors, at_home), best_mix(other, guild.tensors, at_home)
    assert at_home(there.skill) == max(there.scores.values()) >= at_home(guild)
    assert at_home(back.skill) == max(back.scores.values()) >= at_home(other)
    assert there.scores[1.0] == back.scores[0.0]


@pytest.mark.parametrize(
    ("chosen_on", "fresh", "kept"),
    [(0.9, 0.6, True), (0.9, 0.5, False), (0.9, 0.1, False), (0.5, 0.9, False), (0.4, 0.9, False)],
)
def test_what_was_chosen_is_kept_only_where_it_is_better_on_fresh_episodes(
    chosen_on: float, fresh: float, kept: bool
) -> None:
    place = SmallPlace(tuned_scores=(chosen_on, fresh))  # the guild's scores .5
    record, skill = personalise(place, GUILD, Tuning(2, 0.1, 16))
    assert (record.guild, record.version, record.episodes) == (GUILD.digest, GUILD.manifest.version, 16)
    assert (record.share, record.score, record.guild_score) == (
        (0.25, fresh, 0.5) if kept else (0.0, 0.5, 0.5)
    )
    assert (skill is GUILD) != kept
    assert record.digest == skill.digest
    assert skill.manifest.parents == ((GUILD.digest,) if kept else GUILD.manifest.parents)


def test_what_a_version_only_carries_for_training_together_is_no_part_of_what_was_tuned() -> None:
    shapes = carried_shapes(GUILD.manifest.network.shapes(), ("variate",))
    carried = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    manifest = GUILD.manifest.model_copy(update={"carries": ("variate",)})
    guild = Skill(manifest, GUILD.tensors | carried)

    class Bare(SmallPlace):
        def tune(self, guild: Skill, *arguments: Any) -> Tensors:
            tuned = super().tune(guild, *arguments)
            return {name: tuned[name] for name in GUILD.tensors}

    record, skill = personalise(Bare(tuned_scores=(1.0, 1.0)), guild, Tuning(rate=0.1))
    assert (record.share, record.guild, skill.manifest.carries) == (0.25, guild.digest, ())
    assert skill.tensors.keys() == GUILD.tensors.keys()
