"""The demo of halls: both ways get one campaign, and what came of them is told side by side."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from zunft.demo.halls import HallsReport, Way, halls_order, print_halls
from zunft.demo.plan import full_plan


def test_both_ways_get_a_campaign_that_a_tree_can_carry() -> None:
    plan = full_plan("weld-seam", seed=0)
    order = halls_order(plan, 2)
    assert order.merge.momentum == 0
    assert (order.then, order.rounds <= plan.order.rounds) == ((), True)
    assert set(plan.order.gate.embodiments) <= set(order.gate.embodiments)


def test_the_report_says_both() -> None:
    flat = Way(
        home=(0.92, 0.89, 0.93),
        away=(0.9, 0.8, 1),
        rounds=8,
        published=8,
        seconds=60,
        deltas_above=64,
        received_above=2_000_000,
    )
    halls = flat.model_copy(update={"deltas_above": 16, "published": 7})
    written = StringIO()
    out = Console(file=written, width=120)
    print_halls(HallsReport(task="weld-seam", seed=0, sites=2, flat=flat, halls=halls), out)
    told = written.getvalue()
    assert all(each in told for each in ("one guild", "2 halls under one", "0.92", "64, 2.00 MB", "7 of 8"))
