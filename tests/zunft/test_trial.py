"""A trial on one machine, held to what a hub says of the same skill."""

from __future__ import annotations

from pathlib import Path

import pytest

from envs.evaluate import pool
from hub.workers.scoring import score_skill
from skills.messages.leaderboards import BOARD
from tests.envs.bundles import small_task
from zunft.trial import try_task


@pytest.mark.parametrize("seed", [0, 1])
def test_a_trial_says_of_held_out_robots_what_a_hub_says(seed: int, tmp_path: Path) -> None:
    # Every second job is done by doing nothing, so that scores are neither 0 nor 1 and depend on the seeds.
    aside = 'offset = { low = [0.0, 0.0, -0.02], high = [0.0, 0.0, 0.02], unit = "m" }'
    task = small_task(tmp_path, ("[quantities.high]", f"{aside}\n\n[quantities.high]"))
    trial, skill = try_task(task, iterations=1, seed=seed)
    manifest = skill.manifest
    assert (manifest.version, manifest.parents, manifest.samples) == (1, (), trial.curve[-1].steps)
    expected = pool(score_skill(skill, task, BOARD.draws()).by_embodiment.values())
    assert 0 < expected.score < 1
    assert (trial.held_out["trained"].score, trial.held_out["trained"].episodes) == (
        expected.score,
        expected.episodes,
    )
