"""The gate's error rates, in a small simulation, and that the page's table is of the plan there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.gate import END, START, WHEREABOUTS, campaign, gates
from skills.messages.plans import GatePlan

PLAN = GatePlan()
PAGE = Path(__file__).parents[2] / "docs" / "rounds.md"
TRIALS = 200
USED_BEFORE = 128
"""Episodes on four arms, always."""


@pytest.mark.parametrize(("before", "alike"), [(0.85, 0.0), (0.95, 0.5)])
def test_what_is_eight_points_worse_is_hardly_ever_published_and_equals_mostly_are(
    before: float, alike: float
) -> None:
    worse = gates(PLAN, before, before - 0.08, alike, TRIALS)
    equal = gates(PLAN, before, before, alike, TRIALS)
    assert worse.published <= 0.05
    assert equal.published >= 0.9
    assert worse.episodes < PLAN.most * 4 / 2


def test_three_points_a_round_do_not_add_up() -> None:
    found = campaign(PLAN, 0.95, -0.03, 0.5, TRIALS // 2)
    assert found.loss <= 0.045  # the page has more trials, and says less than .04
    assert 0 < found.published < 0.2


def test_what_is_nearly_the_same_costs_about_what_it_did() -> None:
    assert gates(PLAN, 0.95, 0.95, 0.97, TRIALS).episodes < 1.25 * USED_BEFORE


def test_a_narrow_plan_of_few_episodes_publishes_next_to_nothing() -> None:
    assert gates(GatePlan(most=16), 0.85, 0.85, 0.0, TRIALS).published < 0.1


def test_the_page_keeps_what_was_promised() -> None:
    text = PAGE.read_text(encoding="utf-8").partition(START)[2].partition(END)[0]
    rows = {line.split("|")[1].strip(): line.split("|")[2:-1] for line in text.splitlines() if "|" in line}
    assert len(rows["equal"]) == len(WHEREABOUTS)
    published = {
        name: [float(cell.split(",")[0]) for cell in rows[name]] for name in rows if "points w" in name
    }
    assert max(published["8 points worse"]) <= 0.05
    equal = [cell.split(",") for cell in rows["equal"]]
    assert min(float(share) for share, _ in equal) >= 0.9
    fixed = [float(cell) for cell in rows["a fixed plan of that power"]]
    assert all(float(mean) < most for (_, mean), most in zip(equal, fixed, strict=True))
    lost = [
        line.split("|") for line in text.splitlines() if "| 3 points worse |" in line and "points |" in line
    ]
    campaigns = [float(cells[3].split()[0]) for cells in lost if cells[2].strip() == "3 points worse"]
    assert campaigns
    assert max(campaigns) <= 4
