"""A report with known figures, and a skill that has learned nothing."""

from __future__ import annotations

from envs.evaluate import Evaluation
from skills.skill import Skill
from zunft.demo.report import FleetRow, Report, Score, UnseenRow
from zunft.new_skill import new_skill


def score(successes: int, episodes: int = 10) -> Score:
    return Score.of(Evaluation.count(successes, episodes))


SCRIPTED = {"p": score(2), "pd-look-ahead": score(10)}


def sample_report() -> Report:
    fleet = [
        FleetRow(
            robot=robot,
            embodiment=arm,
            alone_home=score(10),
            alone_elsewhere=score(3, 30),
            alone_changed=score(4),
            guild=score(guild),
            guild_changed=score(8),
            tuned=score(10),
            scripted={"p": score(5), "pd-look-ahead": score(9)},
        )
        for robot, arm, guild in (("ada", "ur5e", 9), ("bela", "panda", 7))
    ]
    unseen = [
        UnseenRow(embodiment=arm, alone=score(4, 40), guild=score(8), scripted=SCRIPTED)
        for arm in ("kinova3", "sawyer")
    ]
    return Report(
        task="weld-seam",
        seed=0,
        fleet=fleet,
        unseen=unseen,
        rounds=3,
        seconds=12.3,
        steps_per_robot=9600,
        bytes_sent_per_robot=1_500_000,
        bytes_received_per_robot=2_500_000,
        hub_peak_mb=250.0,
        guild_by_round=[0.2, 0.1, 0.8],
        published_by_round=[True, False, True],
    )


def untrained() -> Skill:
    return new_skill("weld-seam", seed=0)
