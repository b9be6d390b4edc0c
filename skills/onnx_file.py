"""A skill as one ONNX file: what a runtime without Python computes, with the contract in its metadata.

Input `observation` (n, inputs) as the contract lists it, physical values over their scales; output `action`
(n, outputs) in [-1, 1]. A network that remembers has `memory` (n, size) as second input, zeros at the start
of a job, and `next_memory` as second output. An action is NaN where anything that was seen, remembered or
computed is no finite number: who drives a robot looks for that. Needs the package `onnx`; what runs the file
from Python is `skills.onnx_policy`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from skills.errors import ContractError
from skills.manifest import Channel
from skills.networks.graph import Graph
from skills.skill import Skill

if TYPE_CHECKING:
    import onnx

__all__ = ["OPSET", "onnx_file"]

OPSET = 17
"""Old enough for the runtimes that devices have (ONNX 1.12, 2022)."""
IR_VERSION = 8
LARGEST = 2_000_000_000  # bytes of weights; the format's messages end at 2 GiB
JOBS = "jobs"
"""Name of the first axis: any number of jobs side by side."""


def onnx_file(skill: Skill) -> bytes:
    """The file; equal skills give equal bytes with one version of `onnx`.

    Raises:
        ContractError: The network's kind has no form as a graph, or it is too large.
        ModuleNotFoundError: `onnx` is not installed.
    """
    from onnx import TensorProto, checker, helper  # noqa: PLC0415 - an extra

    network = skill.manifest.network
    size = network.actor(skill.tensors).memory_size
    graph = Graph()
    mean, after = network.graph(graph, skill.tensors, "observation", "memory" if size else "")
    _clip(graph, mean, ["observation", "memory", mean, after] if size else ["observation", mean])
    if size:
        graph.apply("Identity", after, name="next_memory")
    if sum(each.nbytes for each in graph.constants.values()) > LARGEST:
        raise ContractError(
            "the network is larger than an ONNX file may be, 2 GB.", where=skill.manifest.name
        )

    def values(name: str, count: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [JOBS, count])

    made = helper.make_graph(
        [
            helper.make_node(each.operator, each.inputs, each.outputs, f"{number}", **each.attributes)
            for number, each in enumerate(graph.nodes)
        ],
        skill.manifest.name,
        [values("observation", network.inputs), *([values("memory", size)] if size else ())],
        [values("action", network.outputs), *([values("next_memory", size)] if size else ())],
        [_tensor(name, numbers) for name, numbers in graph.constants.items()],
    )
    model = helper.make_model(
        made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="zunft"
    )
    helper.set_model_props(model, _metadata(skill))
    checker.check_model(model, full_check=True)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _clip(graph: Graph, mean: str, watched: Iterable[str]) -> None:
    """The action: the mean clipped to [-1, 1], and NaN in all jobs whose numbers are not all finite."""
    low, high = (graph.constant(f"box.{end}", np.array(end, np.float32)) for end in (-1, 1))
    clipped = graph.apply("Clip", mean, low, high)
    # Zero times a number is zero, and NaN times none. By a product, for runtimes skip sums with zeros.
    nothing = graph.apply(
        "Mul", graph.apply("Concat", *watched, axis=1), graph.constant("zero", np.array(0, np.float32))
    )
    alarm = graph.apply("ReduceSum", nothing, graph.constant("numbers", np.array([1])), keepdims=1)
    graph.apply("Add", clipped, alarm, name="action")


def _tensor(name: str, numbers: NDArray[Any]) -> onnx.TensorProto:
    from onnx import numpy_helper  # noqa: PLC0415 - an extra

    return numpy_helper.from_array(numbers, name)


def _metadata(skill: Skill) -> dict[str, str]:
    """Who it is, and its contract: as JSON, and the scale of each number for machines that read none."""
    manifest = skill.manifest
    contract = manifest.contract
    return {
        "zunft.skill": manifest.name,
        "zunft.version": str(manifest.version),
        "zunft.digest": skill.digest,
        "zunft.task": manifest.task,
        "zunft.task_digest": manifest.task_digest or "",
        "zunft.licence": manifest.licence,
        "zunft.control_hz": f"{contract.control_hz:g}",
        "zunft.contract": contract.model_dump_json(),
        "zunft.observation.scales": _scales(contract.observation),
        "zunft.action.scales": _scales(contract.action),
    }


def _scales(channels: tuple[Channel, ...]) -> str:
    return ",".join(repr(each.scale) for each in channels for _ in range(each.size))
