"""How the gates of tests know the policy that does nothing, which the real one measures."""

from __future__ import annotations

from skills.messages.skills import GateReport, ScoreView
from skills.skill import Skill

NOTHING = GateReport(
    passed=True,
    reason="Nothing is done.",
    candidate=ScoreView(score=0, low=0, high=1, episodes=1),
    seconds=0.0,
)


def does_nothing(skill: Skill) -> bool:
    return not any(tensor.any() for tensor in skill.tensors.values())
