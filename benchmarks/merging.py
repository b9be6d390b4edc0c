"""Every merging rule against reading its inputs once: `python -m benchmarks.merging`, some minutes.

On a processor the floor is the fastest of three ways to read all float32 inputs on all cores, and figures are
multiples of its time, for int8 inputs too. On a GPU (`--device cuda`) the floor is the time in which the
device's measured copy bandwidth moves as many bytes, and figures are shares of that bandwidth. Memory is
what a merge takes beyond its inputs, the result included.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from benchmarks.merging_cases import Case, Inputs, make_inputs, our_cases, their_cases
from benchmarks.merging_memory import extra_memory

COUNTS = (4, 16, 64)
SIZES = (100_000, 10_000_000)
SMALL = (64, 20_000)  # updates of a small policy
THEIR_MOST = 160_000_000  # numbers in all; with more, other libraries take minutes and tens of GB
REPEATS, ENOUGH, PATIENCE = 7, 0.3, 4.0  # of one case: repeats, seconds at least, seconds at most
SLICE = 2**20  # numbers that one thread reads at a time


@dataclass(frozen=True)
class Row:
    """One figure: a case at a size. `extra` is peak memory beyond the inputs in bytes, where measured."""

    case: str
    updates: int
    weights: int
    seconds: float
    ratio: float
    extra: int | None


def main() -> None:
    """Measure and print."""
    wanted = parse()
    sizes = [*((count, size) for size in wanted.sizes for count in wanted.counts), SMALL]
    rows, floors = [], []
    for count, size in track(sizes, "Measuring", console=Console(stderr=True), transient=True):
        inputs = {encoding: make_inputs(count, size, encoding) for encoding in ("float32", "int8")}
        floor, how = find_floor(inputs["float32"], wanted.device)
        speed = count * size * 4 / floor / 1e9
        floors.append(f"{count} x {size:,}: {floor * 1e3:.2f} ms, {speed:.1f} GB/s, {how}")
        rows += [
            measure(case, inputs[case.encoding], size, floor, wanted) for case in choose(wanted, count, size)
        ]
    machine = describe_machine(wanted.device)
    if wanted.json:
        text = json.dumps({"machine": machine, "reading": floors, "rows": [asdict(row) for row in rows]})
    else:
        text = "\n".join([machine, "", "Reading once:", *floors, "", *table(rows, wanted.device)])
    print(text)
    if wanted.output:
        wanted.output.write_text(page(text))


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS, help="numbers of updates")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of weights")
    parser.add_argument("--rules", nargs="+", help="only these rows of the table, by name")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or ray")
    parser.add_argument("--others", action="store_true", help="other libraries too, where they are installed")
    parser.add_argument("--memory", action="store_true", help="peak memory too, one process for each figure")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--output", type=Path, help="also write a page, such as benchmarks/results/merging.md"
    )
    return parser.parse_args()


def choose(wanted: argparse.Namespace, count: int, size: int) -> list[Case]:
    """The cases to measure at a size."""
    others = wanted.others and count * size <= THEIR_MOST
    cases = [*our_cases(wanted.device), *(their_cases() if others else [])]
    return [case for case in cases if not wanted.rules or case.name in wanted.rules]


def measure(case: Case, inputs: Inputs, size: int, floor: float, wanted: argparse.Namespace) -> Row:
    """Time a case, and at the most weights its memory."""
    count = len(inputs)
    case.prepare(make_inputs(count, 1000, case.encoding))()  # compiles what it needs
    seconds = best_of(case.prepare(inputs))
    weigh = wanted.memory and size == max(wanted.sizes)
    extra = extra_memory(case.name, count, size, wanted.device) if weigh else None
    return Row(case.name, count, size, seconds, seconds / floor, extra)


def find_floor(inputs: Inputs, device: str) -> tuple[float, str]:
    """Seconds to read the inputs once, and how."""
    arrays = [each for each in inputs if isinstance(each, np.ndarray)]
    if device == "cuda":
        return sum(each.nbytes for each in arrays) / copy_bandwidth(), "at the device's copy bandwidth"
    tensors = [torch.from_numpy(each) for each in arrays]
    slices = [each[at : at + SLICE] for each in arrays for at in range(0, each.size, SLICE)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        readers: dict[str, Callable[[], object]] = {
            "torch sum": lambda: [each.sum() for each in tensors],
            "numpy sum on threads": lambda: list(pool.map(np.sum, slices)),
            "compiled sum on threads": lambda: list(pool.map(_sum, slices)),
        }
        return min((best_of(reader), name) for name, reader in readers.items())


def copy_bandwidth() -> float:
    """Bytes per second that a copy within the GPU's memory reads and writes."""
    source = torch.empty(2**28, dtype=torch.float32, device="cuda")
    target = torch.empty_like(source)

    def copy() -> None:
        target.copy_(source)
        torch.cuda.synchronize()

    return 2 * source.nbytes / best_of(copy)


def best_of(work: Callable[[], object]) -> float:
    """Seconds of the fastest repeat: what an undisturbed machine can do. What is very slow runs once."""
    seconds: list[float] = []
    while sum(seconds) < (ENOUGH if len(seconds) >= REPEATS else PATIENCE):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def table(rows: Sequence[Row], device: str) -> list[str]:
    """Figures of all sizes side by side, the small policy in milliseconds, and memory."""
    found = {(row.case, row.updates, row.weights): row for row in rows}
    sizes = list(dict.fromkeys((row.updates, row.weights) for row in rows))
    weighed = list(dict.fromkeys((row.updates, row.weights) for row in rows if row.extra is not None))
    titles = [f"{count}x{size / 1e6:g}M" for count, size in sizes[:-1]]
    titles += [f"{SMALL[0]}x{SMALL[1] // 1000}k", *(f"mem {count}" for count, _ in weighed)]
    lines = [f"{'':24}" + "".join(f"{title:>10}" for title in titles)]
    for name in dict.fromkeys(row.case for row in rows):
        cells = [_speed(found.get((name, *size)), device) for size in sizes]
        cells += [_memory(found.get((name, *size))) for size in weighed]
        lines.append(f"{name:24}" + "".join(f"{cell:>10}" for cell in cells))
    return lines


def _speed(row: Row | None, device: str) -> str:
    if row is None:
        return "-"
    if (row.updates, row.weights) == SMALL:
        return f"{row.seconds * 1e3:.2f} ms"
    return f"{1 / row.ratio:.0%}" if device == "cuda" else f"{row.ratio:.2f}x"


def _memory(row: Row | None) -> str:
    return "-" if row is None or row.extra is None else f"{row.extra / 1e6:.0f} MB"


def page(text: str) -> str:
    """The results as a page."""
    return f"""# merging

Every rule as a multiple of reading its float32 inputs once on all cores (updates x weights), the merge of a
small policy in milliseconds, and peak memory beyond the inputs at the most weights, the result included.
Made on {datetime.now(UTC).date()} by
`python -m benchmarks.merging --memory --others --output benchmarks/results/merging.md`.

```
{text}
```
"""


def describe_machine(device: str) -> str:
    """Processor or GPU, cores and versions."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    models = {line.partition(":")[2].strip() for line in lines if line.startswith("model name")}
    gpu = f"{torch.cuda.get_device_name()}, " if device == "cuda" else ""
    return (
        f"{gpu}{', '.join(sorted(models)) or platform.processor()}, {os.cpu_count()} cores; "
        f"Python {platform.python_version()}, numpy {np.__version__}, numba {numba.__version__}, "
        f"torch {torch.__version__}"
    )


@numba.njit(nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _sum(numbers: NDArray[np.float32]) -> Any:
    total = np.float32(0)
    for number in numbers:
        total += number
    return total


if __name__ == "__main__":
    main()
