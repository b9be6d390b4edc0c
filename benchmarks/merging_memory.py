"""Peak memory of one merge beyond its inputs, in a process of its own, which `extra_memory` starts.

The figure is the growth of the process's peak resident memory (Linux, VmHWM) from just before the merge to
just after it; a tiny merge comes first, so that compiled code and threads are there. The result itself, one
model, is part of it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.merging_cases import find_case, make_inputs

__all__ = ["extra_memory"]


def extra_memory(case: str, count: int, size: int, device: str) -> int:
    """Bytes of peak memory that a merge of `count` updates of `size` numbers takes beyond the updates."""
    command = [sys.executable, "-m", __name__, case, str(count), str(size), device]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own words
    return int(done.stdout)


def main() -> None:
    """Measure the case named on the command line; print bytes."""
    name, count, size, device = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    case = find_case(name, device)
    case.prepare(make_inputs(count, 1000, case.encoding))()
    merge = case.prepare(make_inputs(count, size, case.encoding))
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew from what is resident now
    before = _status("VmRSS")
    merge()
    print(_status("VmHWM") - before)


def _status(field: str) -> int:
    """Bytes of a field of this process's status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field + ":"))


if __name__ == "__main__":
    main()
