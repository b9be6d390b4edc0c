"""Charts as pure functions: the numbers that went in are the numbers that are drawn."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.console.charts import (
    NEWEST,
    campaign_chart,
    cause_chart,
    embodiment_chart,
    lineage_chart,
    success_chart,
)
from hub.console.words import ago, amount, interval, percent, plural, score_in_words, until
from skills.messages.campaigns import CampaignRequest, CampaignView
from skills.messages.causes import Cause, Part
from skills.messages.rounds import RoundView
from skills.messages.skills import GateReport, ScoreView, VersionView
from tests.hub.conftest import tiny_skill

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


def measured(share: float, half: float = 0.1) -> ScoreView:
    return ScoreView(score=share, low=max(0, share - half), high=min(1, share + half), episodes=32)


def report(share: float, *, passed: bool = True, current: float | None = None) -> GateReport:
    before = None if current is None else measured(current)
    return GateReport(passed=passed, reason="", candidate=measured(share), current=before, seconds=1)


def version(number: int, share: float | None, *, parent: int = 0, **changes: Any) -> VersionView:
    fields: dict[str, Any] = {
        "skill": "reach",
        "version": number,
        "digest": digest(number),
        "size": 1000,
        "origin": "merge",
        "task": "reach",
        "parents": (digest(parent),) if parent else (),
        "created_at": NOON,
        "score": None if share is None else measured(share),
        "signature": "s",
        "manifest": tiny_skill().manifest,
    }
    return VersionView.model_validate(fields | changes)


def history() -> list[VersionView]:
    """v1 unmeasured, v2 and v4 published, v3 refused."""
    return [
        version(4, 0.9, parent=2, channels=("candidate", "stable")),
        version(3, 0.2, parent=2, gate=report(0.2, passed=False)),
        version(2, 0.5, parent=1),
        version(1, None),
    ]


def values(series: dict[str, Any]) -> list[Any]:
    return [point["value"] if isinstance(point, dict) else point for point in series["data"]]


def series(options: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in options["series"] if each["name"] == name)
    return found


def test_the_line_joins_what_was_published_and_rings_mark_the_rest() -> None:
    options = success_chart(history())
    assert options["xAxis"]["data"] == ["v1", "v2", "v3", "v4"]
    assert values(series(options, "published")) == [None, 50, None, 90]
    assert values(series(options, "rejected")) == [None, None, 20, None]


def test_the_band_spans_the_intervals_and_bridges_gaps() -> None:
    options = success_chart(history())
    assert values(series(options, "low")) == [None, 40, 60, 80]
    assert values(series(options, "interval")) == [None, 20, 20, 20]


def test_arms_are_ranked_with_the_best_on_top() -> None:
    options = embodiment_chart({"ur5e": measured(0.5), "panda": measured(0.9), "iiwa": measured(0.7)})
    assert options["yAxis"]["data"] == ["ur5e", "iiwa", "panda"]
    assert [value[0] for value in values(options["series"][-1])] == [50, 70, 90]


def test_lineage_draws_each_known_parent_once() -> None:
    graph = lineage_chart(history())["series"][0]
    links = {(link["source"], link["target"]) for link in graph["links"]}
    assert links == {("v1", "v2"), ("v2", "v3"), ("v2", "v4")}
    lanes = {point["name"]: point["value"][1] for point in graph["data"]}
    assert lanes["v1"] == lanes["v2"] == lanes["v4"] > lanes["v3"]


def test_a_learning_curve_keeps_a_place_for_every_ordered_round() -> None:
    rounds = tuple(
        RoundView(
            round_id=f"r{number}",
            campaign_id="c",
            number=number,
            state="published",
            base=digest(1),
            opened_at=NOON,
            deadline=NOON,
            deltas=2,
            samples=10,
            bytes=10,
            waiting_for="",
            gate=gate,
        )
        for number, gate in ((1, report(0.5, current=0.1)), (2, None))
    )
    order = CampaignRequest(skill="reach", rounds=4)
    options = campaign_chart(
        CampaignView(campaign_id="c", state="running", order=order, created_at=NOON, rounds=rounds)
    )
    assert options["xAxis"]["data"] == ["1", "2", "3", "4"]
    assert values(series(options, "candidate")) == [50, None, None, None]
    assert values(series(options, "stable before")) == [10, None, None, None]


@given(shares=st.lists(st.none() | st.floats(0, 1), max_size=2 * NEWEST))
def test_any_history_is_plain_json_of_bounded_size(shares: list[float | None]) -> None:
    versions = [version(number, share, parent=number - 1) for number, share in enumerate(shares, start=1)]
    for options in (success_chart(versions), lineage_chart(versions)):
        json.dumps(options, allow_nan=False)
        assert all(len(each["data"]) <= NEWEST for each in options["series"])


def test_tooltips_are_escaped() -> None:
    options = embodiment_chart({"<b>arm</b>": measured(0.5)})
    assert "<b>arm" not in json.dumps([point["tooltip"] for point in options["series"][-1]["data"]])


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (percent(0.923), "92.3 %"),
        (interval(measured(0.5)), "40\u201360 %"),
        (score_in_words(None), "not measured"),
        (plural(1, "robot"), "1 robot"),
        (plural(4000, "robot"), "4,000 robots"),
        (amount(999), "999 B"),
        (amount(1500), "1.5 kB"),
        (amount(174_512), "175 kB"),
        (amount(999_700), "1.0 MB"),
        (ago(NOON, NOON), "just now"),
        (ago(NOON, NOON.replace(hour=15)), "3 hr ago"),
        (ago(NOON.replace(minute=9), NOON), "just now"),
        (until(NOON.replace(minute=9), NOON), "in 9 min"),
        (until(NOON, NOON.replace(hour=15)), "3 hr ago"),
        (ago(NOON.replace(tzinfo=None), NOON.replace(day=3)), "2 days ago"),
    ],
)
def test_figures_in_words(said: str, expected: str) -> None:
    assert said == expected


def test_success_over_a_figure_has_a_dot_and_an_interval_for_each_part() -> None:
    parts = (
        Part(where="0 to 1", episodes=40, success=0.9, low=0.8, high=0.95),
        Part(where="1 to <b>", episodes=30, success=0.25, low=0.1, high=0.4),
    )
    cause = Cause(
        figure="delay", where="above 1", unit="steps", episodes=30, success=0.25, elsewhere=0.9, effect=0.65,
        low=0.5, high=0.8, chance=0.001, parts=parts,
    )  # fmt: skip
    drawn = cause_chart(cause)
    lows, heights, dots = (series["data"] for series in drawn["series"])
    assert drawn["xAxis"]["data"] == ["0 to 1", "1 to <b>"]
    assert drawn["xAxis"]["name"] == "delay (steps)"
    assert (lows, heights) == ([80, 10], [15, 30])
    assert [each["value"][1] for each in dots] == [90, 25]
    assert "<b>1 to &lt;b&gt;</b>" in dots[1]["tooltip"]["formatter"]
    json.dumps(drawn)
