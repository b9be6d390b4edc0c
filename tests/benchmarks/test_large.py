"""What the page on large skills says of averaging factors, and how its parts are written."""

from __future__ import annotations

from pathlib import Path

from benchmarks.large import DRIFTS, write, wrong_means
from benchmarks.large_learning import Found, Seed, table


def test_factors_that_drift_cannot_be_averaged_and_are_folded_exactly() -> None:
    rows = [[float(cell) for cell in line.strip("| ").split("|")] for line in wrong_means(size=64)[2:]]
    assert [drift for drift, *_ in rows] == list(DRIFTS)
    assert all(
        0.5 * min(drift, 0.6) < apart < 2 * drift and cut > 0.3 * apart for drift, apart, cut, _ in rows
    )
    assert all(fold < 1e-14 for *_, fold in rows)


def test_a_part_of_the_page_is_written_in_its_place(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- one -->\nold\n<!-- /one -->\nb\n")
    write(page, "one", ["new"])
    lines = page.read_text().splitlines()
    assert lines[:3] == ["a", "<!-- one -->", "new"]
    assert lines[-2:] == ["<!-- /one -->", "b"]
    assert "old" not in lines


def test_the_guild_is_held_to_lone_robots_and_to_everybodys_jobs() -> None:
    blind = {"alone": 0.5, "guild": 0.8, "pooled": 0.8}
    found = tuple(Found(who, score, 0.9, 1000, 1.0) for who, score in blind.items())
    said = table([Seed(7, 0.4, 2.0, found)] * 2)
    assert said.count("| 7 | guild | 0.80 | 0.90 | 1 |") == 2
    assert said[-1] == "On the blind family the guild is +0.30 above lone robots, and 1.00 of pooled."
