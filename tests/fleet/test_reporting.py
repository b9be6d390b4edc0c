"""What a robot tells of itself: counted on disk, told when it is news, and nothing that nobody asked for."""

from __future__ import annotations

from pathlib import Path

from fleet.reporting import BETWEEN, KEPT, Reporter, count_job, driven, report_of
from fleet.robot_folder import RobotFolder
from skills.container import digest_of
from skills.messages.reports import Report

ONE = digest_of(b"one")


def bench_of(folder: Path) -> RobotFolder:
    bench = RobotFolder(folder)
    bench.keep_memory("reach", bench.memory("reach").use(ONE, 1))
    return bench


def test_jobs_are_counted_by_version_and_the_last_versions_are_kept(tmp_path: Path) -> None:
    bench = bench_of(tmp_path)
    for version in range(1, KEPT + 3):
        for done in (True, False, None):
            count_job(bench, "reach", version, done=done, guards={"fresh": 1})
    found = report_of(bench, "reach")
    assert [each.version for each in found.tallies] == [3, 4, 5]
    assert [(each.done, each.failed, each.first) for each in found.tallies] == [(1, 1, "10")] * 3
    assert found.guards == {"fresh": 3 * (KEPT + 2)}
    count_job(bench, "reach", 3, done=True, guards={})
    assert [each.version for each in report_of(bench, "reach").tallies] == [4, 5, 3]


def test_a_robot_is_busy_while_it_is_driven_and_no_longer_when_its_driver_died(tmp_path: Path) -> None:
    bench = bench_of(tmp_path)
    with driven(bench, "reach"):
        assert report_of(bench, "reach").busy
    assert not report_of(bench, "reach").busy
    bench.keep_jobs("reach", bench.jobs("reach").model_copy(update={"driver": 2**22 + 1}))
    assert not report_of(bench, "reach").busy


def test_only_news_are_told_and_jobs_alone_not_at_once(tmp_path: Path) -> None:
    bench = bench_of(tmp_path)
    reporter, now = Reporter(bench, "reach"), 1000.0
    first = reporter.news(now)
    assert first is not None
    assert reporter.news(now) == first, "until the hub has it"
    reporter.heard(first, now)
    assert reporter.news(now) is None
    count_job(bench, "reach", 1, done=True, guards={})
    assert reporter.news(now + BETWEEN / 2) is None
    later = reporter.news(now + BETWEEN)
    assert later is not None
    assert later.tally(1).done == 1
    reporter.heard(later, now + BETWEEN)
    (tmp_path / "stopped.txt").write_text("a guard said so")
    stopped = reporter.news(now + BETWEEN)
    assert stopped is not None
    assert stopped.stopped


def test_a_robot_without_a_version_has_nothing_to_tell(tmp_path: Path) -> None:
    assert Reporter(RobotFolder(tmp_path), "reach").news(0.0) is None


def test_the_largest_report_fits_the_question_that_it_rides_on(tmp_path: Path) -> None:
    bench = bench_of(tmp_path)
    for version in range(1, KEPT + 1):
        for number in range(100):
            count_job(bench, "reach", version, done=number % 2 == 0, guards={f"guard-{number % 16}": 1})
    text = report_of(bench, "reach").model_dump_json(exclude_defaults=True)
    assert len(text) <= 2000
    assert set(Report.model_fields) == {
        "skill",
        "version",
        "since",
        "busy",
        "stopped",
        "tallies",
        "guards",
    }, "docs/rollouts.md says that this is all"
