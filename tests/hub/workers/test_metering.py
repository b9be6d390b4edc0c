"""What a job took: processor time, and its share of the energy that the machine counted meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.workers.metering import Counter, Meter, Spent, busy_seconds, counted, own_seconds, read_counters

LAP = 262.144


def zone(folder: Path, name: str, kind: str, microjoules: str) -> None:
    place = folder / name
    place.mkdir()
    (place / "name").write_text(f"{kind}\n")
    (place / "energy_uj").write_text(f"{microjoules}\n")
    (place / "max_energy_range_uj").write_text("262144000\n")


def test_packages_and_memory_are_counted_and_no_part_of_a_package_twice(tmp_path: Path) -> None:
    for name, kind in (
        ("intel-rapl:0", "package-0"),
        ("intel-rapl:0:0", "core"),
        ("intel-rapl:0:1", "dram"),
        ("intel-rapl-mmio:0", "package-0"),
    ):
        zone(tmp_path, name, kind, "5000000")
    found = read_counters(tmp_path)
    assert found == {"intel-rapl:0": Counter(5.0, LAP), "intel-rapl:0:1": Counter(5.0, LAP)}


def test_a_counter_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    assert read_counters(tmp_path / "nowhere") == {}
    zone(tmp_path, "intel-rapl:0", "package-0", "no number")
    assert read_counters(tmp_path) == {}
    assert counted({}, {}) is None


@given(st.floats(0, LAP), st.floats(0, LAP * 0.99))
def test_a_counter_that_began_again_is_followed(start: float, spent: float) -> None:
    before, after = {"p": Counter(start, LAP)}, {"p": Counter((start + spent) % LAP, LAP)}
    assert counted(before, after) == pytest.approx(spent, abs=1e-6)


def metered(own: list[float], busy: list[float | None], joules: list[float]) -> Spent:
    """What a meter says that saw these figures, at its begin and at its end."""
    owns, busies, counters = iter(own), iter(busy), _counters(joules)
    return Meter(lambda: next(owns), lambda: next(busies), lambda: next(counters)).spent()


def _counters(joules: list[float]) -> Iterator[dict[str, Counter]]:
    return iter([{"p": Counter(each, 1e6)} for each in joules])


def test_a_job_has_its_share_of_what_the_machine_took() -> None:
    assert metered([10, 12], [100, 108], [1000, 1400]) == Spent(core_seconds=2, joules=100)


def test_a_job_has_never_more_than_all() -> None:
    assert metered([10, 12], [100, 101], [0, 40]) == Spent(core_seconds=2, joules=40)


def test_without_knowing_how_busy_the_machine_was_nothing_is_counted() -> None:
    assert metered([0, 1], [None, None], [0, 40]) == Spent(core_seconds=1)


def test_real_work_takes_real_processor_time() -> None:
    meter, began = Meter(), own_seconds()
    while own_seconds() < began + 0.15:
        pass
    assert meter.spent().core_seconds >= 0.1
    assert (busy_seconds() or 1) > 0
