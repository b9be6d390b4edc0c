"""Every engine computes every combination alike: one thread, many threads, torch, a real Ray cluster."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import ray
import torch

from hub.merging import MergeError, choose_engine, make_chain, merge
from hub.merging.cluster import ClusterEngine
from hub.merging.cpu import CpuEngine
from hub.merging.device import DeviceEngine
from hub.merging.engine import Engine
from hub.merging.rules import RULES
from hub.merging.stack import CHUNK, Entry, Update
from skills.codecs import Quantised
from skills.errors import ArtefactError

LARGE = CHUNK + 300  # more than a chunk, so that work is really shared
TORCH = DeviceEngine("cuda" if torch.cuda.is_available() else "cpu")
OPTIONS: dict[str, dict[str, Any]] = {
    name: {"byzantine": 1} for name in ("krum", "multi-krum", "bulyan", "mda")
}


def make_updates(kind: str, seed: int = 0) -> list[dict[str, Entry]]:
    rng = np.random.default_rng(seed)
    shapes = {"small": (3, 5), "large": (LARGE,)}
    if kind == "int8":
        return [{name: quantised(rng, shape) for name, shape in shapes.items()} for _ in range(7)]
    kinds = {"mixed": ["float16", "float32", "float64"]}.get(kind, [kind])
    return [
        {name: rng.standard_normal(shape).astype(kinds[i % len(kinds)]) for name, shape in shapes.items()}
        for i in range(7)
    ]


def quantised(rng: np.random.Generator, shape: tuple[int, ...]) -> Quantised:
    size = int(np.prod(shape))
    codes = rng.integers(-127, 128, shape).astype(np.int8)
    return Quantised(codes, rng.random(-(-size // 256)).astype(np.float32))


@pytest.fixture(scope="module")
def cluster() -> Iterator[ClusterEngine]:
    engine = ClusterEngine()
    yield engine
    ray.shutdown()


def run(engine: Engine, rule: str, updates: Sequence[Update], **settings: Any) -> dict[str, Any]:
    options = OPTIONS.get(rule, {}) | ({"byzantine": 1} if settings.get("mixing") else {})
    root = updates[0] if rule == "fltrust" else None
    return merge(updates, None, make_chain(rule, options, **settings), engine=engine, root=root).tensors


CASES = [(rule, kind) for rule in RULES for kind in ("float32", "int8")] + [
    (rule, kind) for rule in ("mean", "median", "bulyan", "ties") for kind in ("float16", "float64", "mixed")
]


@pytest.mark.parametrize(("rule", "kind"), CASES)
def test_torch_agrees_with_the_kernels_and_threads_change_no_bit(rule: str, kind: str) -> None:
    updates = make_updates(kind)
    one, two = run(CpuEngine(1), rule, updates), run(CpuEngine(2), rule, updates)
    other = run(TORCH, rule, updates)
    for name, tensor in one.items():
        assert tensor.tobytes() == two[name].tobytes()
        assert (
            tensor.dtype == other[name].dtype == (np.float64 if kind in {"float64", "mixed"} else np.float32)
        )
        within_rounding(tensor, other[name], updates)


@pytest.mark.parametrize("settings", [{"clip": 0.5}, {"mixing": True}, {"clip": 0.5, "mixing": True}])
def test_clipping_and_mixing_agree_on_all_engines(settings: dict[str, Any]) -> None:
    updates = make_updates("float32")
    one, other = (run(engine, "trimmed-mean", updates, **settings) for engine in (CpuEngine(), TORCH))
    for name, tensor in one.items():
        within_rounding(tensor, other[name], updates)
    assert not np.array_equal(one["large"], run(CpuEngine(), "trimmed-mean", updates)["large"])


def within_rounding(one: Any, other: Any, updates: Sequence[Update]) -> None:
    """A few last bits of float32, of the largest number that was summed."""
    assert np.isfinite(one).all()
    peak = max(
        float(np.abs(each.decode() if isinstance(each, Quantised) else each).max())
        for each in updates[0].values()
    )
    np.testing.assert_allclose(one, other, rtol=3e-7, atol=2.0**-23 * peak)


@pytest.mark.parametrize("rule", ["mean", "median", "geometric-median", "dare", "ties"])
def test_a_ray_cluster_gives_the_same_bits(cluster: ClusterEngine, rule: str) -> None:
    updates = make_updates("float32" if rule != "mean" else "int8")
    here, there = run(CpuEngine(), rule, updates), run(cluster, rule, updates)
    assert cluster.name == "ray"
    for name, tensor in here.items():
        assert tensor.tobytes() == there[name].tobytes()


def test_many_shards_come_back_in_order(cluster: ClusterEngine) -> None:
    updates: Sequence[Update] = [
        {f"t{i}": np.full(5, 100.0 * k + i, np.float32) for i in range(40)} for k in range(3)
    ]
    merged = merge(updates, [1, 2, 1], make_chain("mean"), engine=cluster).tensors
    assert [tensor[0] for tensor in merged.values()] == [100.0 + i for i in range(40)]


@pytest.mark.parametrize("rule", ["mean", "median", "krum", "ties", "dare", "bulyan"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_every_engine_names_the_update_with_bad_numbers(rule: str, bad: float) -> None:
    updates = make_updates("float32")
    spoiled = np.array(updates[3]["large"])
    spoiled[CHUNK + 7] = bad
    updates[3] = updates[3] | {"large": spoiled}
    for engine in (CpuEngine(), TORCH):
        with pytest.raises(ArtefactError, match="update 3 has NaN or infinite") as raised:
            run(engine, rule, updates)
        assert raised.value.where == "large"


def test_auto_takes_the_gpu_where_there_is_one_and_unknown_devices_are_refused() -> None:
    assert choose_engine("auto").name == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(MergeError, match="no device 'tpu'"):
        choose_engine("tpu")
    if not torch.cuda.is_available():
        with pytest.raises(MergeError, match="no CUDA device"):
            choose_engine("cuda")
