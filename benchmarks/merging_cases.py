"""What `benchmarks.merging` measures: our rules, and other libraries' where they are installed.

Inputs are updates of one tensor, as a hub has them in memory; fetching them is not part of it. Rules that
assume bad robots assume as many as they take, the exact search of the minimum diameter three.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hub.merging import merge_arrays
from skills.codecs import BLOCK, Quantised

__all__ = ["Case", "Inputs", "find_case", "make_inputs", "our_cases", "their_cases"]

Inputs = Sequence[NDArray[np.float32]] | Sequence[Quantised]
Work = Callable[[], object]


@dataclass(frozen=True)
class Case:
    """A merge to measure.

    Attributes:
        name: The rule; other libraries' begin with their name.
        prepare: From inputs to the call that is timed; brings them into the form that the library takes.
        encoding: Of the inputs, `float32` or `int8`.
    """

    name: str
    prepare: Callable[[Any], Work]
    encoding: str = "float32"


def make_inputs(count: int, size: int, encoding: str) -> Inputs:
    """`count` updates of `size` numbers."""
    rng = np.random.default_rng(0)
    if encoding == "float32":
        return [rng.standard_normal(size, dtype=np.float32) for _ in range(count)]
    blocks = -(-size // BLOCK)
    return [
        Quantised(rng.integers(-127, 128, size, np.int8), rng.uniform(0.001, 0.01, blocks).astype(np.float32))
        for _ in range(count)
    ]


def our_cases(device: str) -> list[Case]:
    """Every rule of `hub.merging`, the mean of int8 updates, and a rule after mixing."""
    return [
        _ours("mean", device),
        Case("mean of int8", _ours("mean", device).prepare, "int8"),
        *(
            _ours(rule, device)
            for rule in (
                "median",
                "trimmed-mean",
                "krum",
                "multi-krum",
                "bulyan",
                "geometric-median",
                "centred-clipping",
                "mda",
            )
        ),
        _ours("median", device, mixing=True),
        *(_ours(rule, device) for rule in ("fltrust", "task-arithmetic", "ties", "dare")),
    ]


def their_cases() -> list[Case]:
    """A plain loop of torch's `add_`, and what is installed of byzfl and Flower."""
    cases = [
        Case("torch add_ loop", lambda inputs: lambda: _add_all([torch.from_numpy(each) for each in inputs]))
    ]
    byzfl = _byzfl_rules()
    if byzfl is not None:
        made: dict[str, Callable[[int], Any]] = {
            "mean": lambda _: byzfl.Average(),
            "median": lambda _: byzfl.Median(),
            "trimmed-mean": lambda count: byzfl.TrMean(count // 5),
            "krum": lambda count: byzfl.Krum((count - 3) // 2 + 1),
            "geometric-median": lambda _: byzfl.GeometricMedian(),
            "centred-clipping": lambda _: byzfl.CenteredClipping(L=5),
        }
        cases += [Case(f"byzfl {rule}", _theirs(make)) for rule, make in made.items()]
    if importlib.util.find_spec("flwr"):
        flwr = importlib.import_module("flwr.server.strategy.aggregate")
        calls: dict[str, Callable[[Any], object]] = {
            "mean": flwr.aggregate,
            "median": flwr.aggregate_median,
            "trimmed-mean": lambda results: flwr.aggregate_trimmed_avg(results, 0.2),
            "krum": lambda results: flwr.aggregate_krum(results, (len(results) - 3) // 2, 0),
        }
        cases += [Case(f"flwr {rule}", _with_samples(call)) for rule, call in calls.items()]
    return cases


def find_case(name: str, device: str) -> Case:
    """The case of that name."""
    return next(case for case in [*our_cases(device), *their_cases()] if case.name == name)


def _ours(rule: str, device: str, *, mixing: bool = False) -> Case:
    def prepare(inputs: Inputs) -> Work:
        updates = [{"w": each} for each in inputs]
        options = _options(rule, len(updates), mixing=mixing)
        if rule == "fltrust":
            options["root"] = updates[0]
        return lambda: merge_arrays(updates, rule=rule, device=device, mixing=mixing, **options)

    return Case(f"{rule} after mixing" if mixing else rule, prepare)


def _options(rule: str, count: int, *, mixing: bool) -> dict[str, Any]:
    if rule in {"krum", "multi-krum"}:
        return {"byzantine": (count - 3) // 2}
    if rule == "bulyan":
        return {"byzantine": (count - 3) // 4}
    if rule == "mda" or mixing:
        return {"byzantine": min(3, (count - 1) // 2)}
    return {}


def _add_all(tensors: list[torch.Tensor]) -> torch.Tensor:
    total = torch.zeros_like(tensors[0])
    for tensor in tensors:
        total.add_(tensor, alpha=1 / len(tensors))
    return total


def _byzfl_rules() -> Any:
    """The rules of byzfl without its `__init__`, whose experiments need torchvision."""
    found = importlib.util.find_spec("byzfl")
    if found is None:
        return None
    sys.modules["byzfl"] = importlib.util.module_from_spec(found)  # known by its folder, but not run
    return importlib.import_module("byzfl.aggregators")


def _theirs(make: Callable[[int], Any]) -> Callable[[Any], Work]:
    def prepare(inputs: Inputs) -> Work:
        tensors, rule = [torch.from_numpy(each) for each in inputs], make(len(inputs))
        return lambda: rule(tensors)

    return prepare


def _with_samples(call: Callable[[Any], object]) -> Callable[[Any], Work]:
    def prepare(inputs: Inputs) -> Work:
        results = [([each], 1) for each in inputs]
        return lambda: call(results)

    return prepare
