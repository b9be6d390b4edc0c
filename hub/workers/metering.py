"""What a job takes where it is done: processor time of its process, and energy where the machine counts it.

RAPL counts the joules of whole processor packages and their memory (`/sys/class/powercap`, for Intel and AMD;
most systems let only root read it). A job's share of them is that of its processor time in all that the
machine's processors were busy with meanwhile, so what it draws when idle is shared out by use, too. Where
no counter can be read, whoever asked estimates (`hub.rounds.costs`).
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Counter", "Meter", "Spent", "busy_seconds", "counted", "own_seconds", "read_counters"]

POWERCAP = Path("/sys/class/powercap")
MICRO = 1e-6


class Spent(BaseModel):
    """What a job took; `joules` is None where its machine does not count them."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    core_seconds: float = Field(default=0.0, ge=0)
    joules: float | None = Field(default=None, ge=0)


@dataclass(frozen=True)
class Counter:
    """Joules so far, and where the counter begins again at 0."""

    joules: float
    lap: float


class Meter:
    """Measures from when it is made until `spent` is asked.

    Args:
        own: Processor seconds of this process so far.
        busy: Those of the whole machine; None: unknown.
        counters: Energy counters by name; empty: none can be read.
    """

    def __init__(
        self,
        own: Callable[[], float] | None = None,
        busy: Callable[[], float | None] | None = None,
        counters: Callable[[], Mapping[str, Counter]] | None = None,
    ) -> None:
        self._own, self._busy = own or own_seconds, busy or busy_seconds
        self._counters = counters or read_counters
        self._began = (self._own(), self._busy(), self._counters())

    def spent(self) -> Spent:
        """Since the meter was made."""
        own, busy, counters = self._began
        seconds = max(0.0, self._own() - own)
        joules, busy_now = counted(counters, self._counters()), self._busy()
        if joules is None or busy is None or busy_now is None:
            return Spent(core_seconds=seconds)
        # The kernel's figure for the machine is in hundredths of a second and may lag a little behind ours.
        share = min(1.0, seconds / max(busy_now - busy, seconds, 1e-9))
        return Spent(core_seconds=seconds, joules=joules * share)


def counted(before: Mapping[str, Counter], after: Mapping[str, Counter]) -> float | None:
    """Joules between two looks, a counter's new beginning allowed for once; None: there is no counter."""
    if not before or before.keys() != after.keys():
        return None
    passed = 0.0
    for name, counter in before.items():
        risen = after[name].joules - counter.joules
        passed += risen if risen >= 0 else risen + counter.lap
    return max(0.0, passed)


def own_seconds() -> float:
    """Processor seconds of this process, all threads, and of its children that have ended."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in both)


def busy_seconds(file: Path = Path("/proc/stat")) -> float | None:
    """Processor seconds that this machine spent on anything since it started; None: it does not say."""
    try:
        # user nice system idle iowait irq softirq steal; man 5 proc_stat
        ticks = [int(each) for each in file.read_text().split("\n", 1)[0].split()[1:8]]
        return (sum(ticks[:3]) + sum(ticks[5:7])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError):
        return None


def read_counters(folder: Path = POWERCAP) -> dict[str, Counter]:
    """All packages, and memory beside them; parts of a package, such as its cores, are in it already."""
    found: dict[str, Counter] = {}
    try:
        for zone in sorted(folder.glob("intel-rapl:*")):
            is_part = zone.name.count(":") > 1
            if is_part and (zone / "name").read_text().strip() != "dram":
                continue
            found[zone.name] = Counter(
                int((zone / "energy_uj").read_text()) * MICRO,
                int((zone / "max_energy_range_uj").read_text()) * MICRO,
            )
    except (OSError, ValueError):
        return {}
    return found
