"""The demo's result: the keys that scripts read, the figures that people read, the picture."""

from __future__ import annotations

import json
import re
from pathlib import Path

from rich.console import Console

from envs.evaluate import Evaluation, wilson_interval
from tests.zunft.samples import sample_report
from zunft.demo.picture import draw_report
from zunft.demo.report import Score, mean_score, print_report, write_report


def test_the_json_has_the_promised_keys(tmp_path: Path) -> None:
    write_report(sample_report(), tmp_path / "result.json")
    written = json.loads((tmp_path / "result.json").read_text())
    keys = {"fleet", "unseen", "rounds", "seconds", "bytes_sent_per_robot", "hub_peak_mb"}
    assert keys <= written.keys()
    fleet_keys = {
        "robot",
        "embodiment",
        "alone_home",
        "alone_elsewhere",
        "guild",
        "tuned",
        "scripted",
        "alone_changed",
        "guild_changed",
    }
    assert all(fleet_keys <= row.keys() for row in written["fleet"])
    assert all({"embodiment", "alone", "guild", "scripted"} <= row.keys() for row in written["unseen"])
    rows = written["fleet"] + written["unseen"]
    assert all(list(row["scripted"]) == ["p", "pd-look-ahead"] for row in rows)
    scores = [value for row in rows for value in (row | row.pop("scripted")).values()]
    assert all({"score", "low", "high"} <= value.keys() for value in scores if isinstance(value, dict))


def test_pooled_scores_count_every_episode_once() -> None:
    pooled = Score.of(Evaluation.count(10, 10), Evaluation.count(0, 30))
    assert (pooled.score, pooled.episodes) == (0.25, 40)
    assert (pooled.low, pooled.high) == wilson_interval(10, 40)


def test_a_terminal_of_80_characters_breaks_heads_at_their_hyphens_alone() -> None:
    console = Console(width=80)
    with console.capture() as captured:
        print_report(sample_report(), console)
    heads = captured.get().split(" ada ")[0].split()
    assert {"pd-", "look-ahead", "elsewhere"} < set(heads)


def test_the_tables_show_means_and_what_the_guild_does_not_give() -> None:
    console = Console(width=240)
    with console.capture() as captured:
        print_report(sample_report(), console)
    text = captured.get()
    assert mean_score([row.guild for row in sample_report().fleet]) == 0.8
    assert "ada" in text
    assert "ur5e" in text
    assert "0.80 in the fleet's own workshops, +0.70 against lone policies away from home" in text
    assert "a specialist reaches 1.00 (guild -0.20, tuned there +0.00)" in text
    assert "guild, tuned" in text
    assert "a specialist 0.40 there at once, the guild's skill 0.80" in text
    assert "the task's best controller, pd-look-ahead, 1.00 (guild -0.20)" in text
    assert "A robot sent 1.50 MB and received 2.50 MB" in text


def test_a_narrow_screen_cuts_nothing() -> None:
    console = Console(width=80)
    with console.capture() as captured:
        print_report(sample_report(), console)
    assert "…" not in captured.get()


def test_who_is_told_is_shown_and_is_no_yardstick(tmp_path: Path) -> None:
    report = sample_report().model_copy(update={"told": ("pd-look-ahead",), "master_steps": 4800})
    console = Console(width=240)
    with console.capture() as captured:
        print_report(report, console)
    text = captured.get()
    assert "scripted p " in text
    assert "pd-look-ahead (told)" in text
    assert "the task's best controller, p, 0.20 (guild +0.60)" in text
    assert "3 rounds, 9,600 steps a robot after 4,800 alone for its master, 12 s in all" in text
    draw_report(report, tmp_path / "told.svg")
    assert "pd-look-ahead (told)" in (tmp_path / "told.svg").read_text()


def test_a_task_without_controllers_has_no_columns_for_them_and_says_so(tmp_path: Path) -> None:
    report = sample_report()
    bare = report.model_copy(
        update={
            "fleet": [row.model_copy(update={"scripted": {}}) for row in report.fleet],
            "unseen": [row.model_copy(update={"scripted": {}}) for row in report.unseen],
        }
    )
    console = Console(width=240)
    with console.capture() as captured:
        print_report(bare, console)
    assert "the task brings no controller to compare with." in captured.get()
    assert "scripted" not in captured.get()
    assert "nan" not in captured.get()
    draw_report(bare, tmp_path / "bare.svg")
    assert "scripted" not in (tmp_path / "bare.svg").read_text()


def test_the_words_are_no_task_s_own() -> None:
    console = Console(width=240)
    with console.capture() as captured:
        print_report(sample_report(), console)
    assert not {"arm", "arms", "weld", "seam"} & set(re.findall("[a-z]+", captured.get()))


def test_the_picture_is_drawn_and_equal_reports_give_equal_files(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg", "c.png"):
        draw_report(sample_report(), tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert "Robots that trained" in (tmp_path / "a.svg").read_text()
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
