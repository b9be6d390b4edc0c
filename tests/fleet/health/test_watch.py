"""A robot that judges its machine: it learns its home, alarms on what stays, and tells each job once."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from fleet.health.sharing import report_of
from fleet.health.watch import HOME, Health, judged, renewed
from skills.health import Floats, Sums
from skills.messages.health import LOGGED, HealthModel

NAMES = ("friction-1", "friction-2", "lag")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
MODEL = HealthModel.of(Sums(1000, np.zeros(3), 999 * np.eye(3)), 5, "reach", "ur5e", NAMES)
OFF = np.array([5.0, -3.0, 100.0])
"""Where this robot's own centre is; nobody else hears of it."""


def jobs_of(seed: int, count: int) -> Floats:
    return OFF + np.random.default_rng(seed).normal(size=(count, 3))


def after(jobs: Floats, health: Health | None = None) -> Health:
    health = health or Health()
    for row in jobs:
        health = judged(health, NAMES, row, MODEL, NOW)
    return health


def test_it_judges_nothing_until_it_knows_its_home_and_then_finds_health() -> None:
    young = after(jobs_of(0, HOME - 1))
    assert (young.knows_home, young.state.limit) == (False, 0.0)
    old = after(jobs_of(1, 100), young)
    assert old.state.worn_since is None
    assert old.state.jobs == 99


def test_a_figure_that_moves_and_stays_is_named_and_one_odd_job_is_not() -> None:
    healthy = after(jobs_of(0, 60))
    odd = after(OFF[None] + 1e3, healthy)
    assert odd.state.worn_since is None
    worn = after(jobs_of(2, 20) + np.array([0.0, 6.0, 0.0]), healthy)
    assert (worn.state.worn_since, worn.state.figure) == (NOW, "friction-2")
    assert renewed(worn).state.worn_since is None
    assert not renewed(worn).knows_home


def test_without_a_guild_it_judges_by_its_own_jobs() -> None:
    health = Health()
    for row in [*jobs_of(0, 50), *(jobs_of(1, 20) + np.array([8.0, 0.0, 0.0]))]:
        health = judged(health, NAMES, row, None, NOW)
    assert health.state.figure == "friction-1"


def test_every_job_is_told_once_less_the_centre_and_none_after_something_moved() -> None:
    health, counted, told = after(jobs_of(0, HOME)), 0, Sums.none(3)
    for seed in range(1, 4):
        report = report_of("reach", health, counted, tells=True)
        assert report.sums is not None
        assert report.sums.after == counted
        told, counted = told.merged(report.sums.sums), report.sums.upto
        health = after(jobs_of(seed, 15), health)
    assert told.count == HOME + 30
    assert np.abs(told.mean).max() < 0.5
    worn = after(jobs_of(9, 15) + 9.0, health)
    last = report_of("reach", worn, counted, tells=True)
    assert last.sums is not None
    assert last.sums.upto < worn.number
    assert last.state is not None
    assert last.state.worn_since == NOW


def test_a_hub_that_was_away_for_long_misses_the_oldest_and_counts_none_twice() -> None:
    health = after(jobs_of(0, LOGGED + 100))
    report = report_of("reach", health, 0, tells=True)
    assert report.sums is not None
    assert report.sums.after == 100
    assert report.sums.count == LOGGED


def test_an_owner_who_allows_nothing_sends_nothing() -> None:
    report = report_of("reach", after(jobs_of(0, 50)), 0, tells=False)
    assert (report.sums, report.state) == (None, None)
