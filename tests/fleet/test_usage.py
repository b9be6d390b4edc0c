"""`zunft robot personalise` and `use`: what was tuned is used with its version alone, where it is wanted."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fleet.membership import join
from fleet.robot_folder import Personal, RobotFolder
from skills.skill import Skill
from tests.fleet.lying_hub import LyingHub
from tests.signed_guild import TOKEN
from zunft.cli import main
from zunft.new_skill import new_skill

SKILL = new_skill("weld-seam", seed=0, network={"hidden": (8,)})
TUNED = Skill(SKILL.manifest, {n: (t + np.float32(0.01)).clip(-0.5, 0.5) for n, t in SKILL.tensors.items()})
Zunft = Callable[[str], tuple[Any, str]]


@pytest.fixture
def bench(hub: LyingHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RobotFolder:
    hub.publish(SKILL)
    folder = RobotFolder(tmp_path / "robot")
    join(folder, hub.url, token=TOKEN, name="anna", embodiment="ur5e")
    monkeypatch.setenv("ZUNFT_ROBOT_HOME", str(folder.home))
    return folder


@pytest.fixture
def zunft(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Zunft:
    def run(line: str) -> tuple[Any, str]:
        monkeypatch.setattr(sys, "argv", ["zunft", *line.split()])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code or 0, capsys.readouterr().out

    return run


def keep(bench: RobotFolder, guild: str, share: float = 0.5) -> None:
    record = Personal(
        guild=guild,
        version=1,
        digest=TUNED.digest,
        share=share,
        score=1.0,
        guild_score=0.9,
        episodes=8,
    )
    bench.keep_personal("weld-seam", record, TUNED)


@pytest.mark.parametrize(
    ("words", "share"), [("weld-seam", 0.5), ("weld-seam --plain", 0.0), ("weld-seam@1", 0.0)]
)
def test_what_was_tuned_is_used_unless_the_guild_s_is_asked_for(
    bench: RobotFolder, zunft: Zunft, words: str, share: float
) -> None:
    keep(bench, SKILL.digest)
    status, said = zunft(f"robot use {words} --episodes 1 --json")
    assert (status, json.loads(said)["share"]) == (0, share)
    assert (bench.skill(SKILL.digest) is None) == (share > 0)  # the guild's file is fetched where it is used
    if share:
        assert "with 50% of what was tuned at home" in zunft(f"robot use {words} --episodes 1")[1]


def test_a_new_version_is_used_without_what_was_tuned_from_the_last(
    hub: LyingHub, bench: RobotFolder, zunft: Zunft
) -> None:
    keep(bench, SKILL.digest)
    hub.publish(Skill(SKILL.manifest.model_copy(update={"version": 2}), SKILL.tensors))
    _, said = zunft("robot use weld-seam --episodes 1 --json")
    assert (json.loads(said)["version"], json.loads(said)["share"]) == (2, 0.0)


def test_a_robot_tunes_when_its_owner_says_so_and_says_both_scores(
    bench: RobotFolder, zunft: Zunft, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZUNFT_ROBOT_BATCH_STEPS", "64")
    line = "robot personalise weld-seam --iterations 1 --rate 1e-3 --episodes 2"
    status, said = zunft(f"{line} --json")
    record = json.loads(said)
    assert (status, record["guild"], record["episodes"]) == (0, SKILL.digest, 2)
    # Untrained, it does no job, tuned or not: the guild's stays.
    assert (record["share"], record["score"], record["guild_score"]) == (0.0, 0.0, 0.0)
    assert bench.personal("weld-seam") == Personal.model_validate(record)
    _, facts = zunft("robot status --json")
    assert json.loads(facts)["personal"] == record
    assert "the guild's skill stays" in zunft(line)[1]


@pytest.mark.parametrize(
    ("options", "status"), [("--iterations 0", 2), ("--rate 0", 2), ("--episodes 0", 2), ("no-such-skill", 1)]
)
def test_what_cannot_be_is_refused(bench: RobotFolder, zunft: Zunft, options: str, status: int) -> None:
    assert zunft(f"robot personalise {options}")[0] == status
    assert bench.personal("weld-seam") is None
