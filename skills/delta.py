"""A delta: what a robot learned, as child - base, with its provenance; one file.

Beside the network's weights it has what the round's plan asks for (`skills.parts`), in the same form: what is
the robot's now less what the base carries, nothing less where it carries nothing. Of matrices that the plan
names it has factors instead (`skills.low_rank`).

Arithmetic is float64, so that `apply(base, subtract(child, base)) == child` bit for bit whenever
a base number is less than 2**28 times its child (always, for weights). Whether a delta is welcome
is the hub's decision (`hub.deltas.admission`), who signed it is `skills.signing`.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import hypot, prod
from typing import Annotated, Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from skills.codecs import (
    BLOCK,
    Codec,
    Encoded,
    Quantised,
    compress_file,
    decode,
    decoded_pieces,
    decompress,
    parse_codec,
)
from skills.container import (
    PIECE,
    Shaped,
    Tensors,
    TensorWriter,
    check_finite,
    check_shapes,
    pieces,
    unpack,
)
from skills.document import Parameters
from skills.errors import ArtefactError
from skills.files import Blob
from skills.low_rank import A, B, chosen, factor_shapes, factors_of, product_norm
from skills.manifest import Digest, Manifest
from skills.messages.plans import TrainingPlan
from skills.parts import CRITIC, TRAINING, by_part, carried_shapes, is_carried, network_of, policy_of
from skills.skill import Skill

__all__ = [
    "Delta",
    "DeltaHeader",
    "EncodedDelta",
    "LazyTensors",
    "apply",
    "clip",
    "learned",
    "length",
    "matrices_of_delta",
    "norm",
    "shapes_of_delta",
    "subtract",
    "unpacked_limit",
]

HEADER_ALLOWANCE = 1_000_000  # bytes of a delta file that are not numbers
MOST_ROBOTS = 1_000_000_000
PARTS = {
    CRITIC: "a critic",
    f"{TRAINING}variate.": "control variates",
    f"{TRAINING}first.": "first moments",
    f"{TRAINING}second.": "second moments",
}
"""What a plan may ask for or not, by how its tensors' names begin."""


class DeltaHeader(BaseModel):
    """Where a delta comes from and what it is worth.

    Attributes:
        samples: Environment steps of training behind it; its weight in the merge, up to the campaign's cap.
        metrics: Figures of the training for the operator's eyes, such as `success`; no weights.
        robots: How many are behind it: of a hall that hands up what its own learned, else this one.
        behind: Digests of what a hall's robots brought, where its owner tells them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["zunft.delta/1"] = "zunft.delta/1"
    base: Digest
    round_id: str = Field(min_length=1, max_length=64)
    robot_id: str = Field(min_length=1, max_length=64)
    codec: str = Field(max_length=32)
    samples: int = Field(ge=1, le=10**12)
    metrics: dict[Annotated[str, StringConstraints(max_length=64)], float] = Field(
        default_factory=dict, max_length=32
    )
    robots: int = Field(default=1, ge=1, le=MOST_ROBOTS, exclude_if=lambda robots: robots == 1)
    behind: tuple[Digest, ...] = Field(default=(), max_length=10_000, exclude_if=lambda those: not those)


class LazyTensors(Mapping[str, NDArray[np.float64]]):
    """Tensors that are computed whenever one is asked for: all of them together need not fit into memory."""

    def __init__(self, names: Iterable[str], compute: Callable[[str], NDArray[np.float64]]) -> None:
        self._names = dict.fromkeys(names)
        self._compute = compute

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        if name not in self._names:
            raise KeyError(name)
        return self._compute(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@dataclass(frozen=True)
class Delta:
    """Header and float64 tensors of one robot's contribution to one round."""

    header: DeltaHeader
    tensors: Mapping[str, NDArray[np.float64]]

    def write(self, file: BinaryIO) -> None:
        """Encode with the header's codec into an empty file; one tensor at a time is asked for.

        Raises:
            CodecError: The codec cannot keep its bound.
            ArtefactError: Non-finite numbers.
        """
        codec, compressed = parse_codec(self.header.codec)
        if not compressed:
            self._write(file, codec)
            return
        with tempfile.TemporaryFile() as plain:
            self._write(plain, codec)
            plain.seek(0)
            compress_file(plain, file)

    def to_bytes(self) -> bytes:
        """The file in memory; see `write`."""
        file = io.BytesIO()
        self.write(file)
        return file.getvalue()

    def _write(self, file: BinaryIO, codec: Codec) -> None:
        specs = {
            name + suffix: spec
            for name, tensor in self.tensors.items()
            for suffix, spec in codec.specs(tensor.shape).items()
        }
        writer = TensorWriter(file, self.header.model_dump_json(), specs)
        for name, tensor in self.tensors.items():
            check_finite({name: tensor}, "delta")
            for number, piece in enumerate(pieces(tensor)):
                for suffix, part in codec.encode(piece).items():
                    writer.write(name + suffix, part, number * (PIECE if suffix == "" else PIECE // BLOCK))

    @classmethod
    def from_bytes(cls, data: Blob, shapes: Parameters) -> Delta:
        """Decode a delta of a network with these shapes.

        Raises:
            ArtefactError, CodecError: See `EncodedDelta.from_bytes`.
        """
        encoded = EncodedDelta.from_bytes(data, shapes)
        return cls(encoded.header, {name: decode(tensor) for name, tensor in encoded.tensors.items()})


@dataclass(frozen=True)
class EncodedDelta:
    """A delta as it lies in its file: checked, but not expanded."""

    header: DeltaHeader
    tensors: dict[str, Encoded]

    @classmethod
    def from_bytes(cls, data: Blob, shapes: Parameters) -> EncodedDelta:
        """Open a delta of a network with these shapes; unpacks at most `unpacked_limit(shapes)` bytes.

        The tensors are read-only views of `data` where it is not compressed.

        Raises:
            ArtefactError: Not a delta, damaged, wrong tensors, NaN or infinite numbers.
            CodecError: Too large, or not what its codec writes.
        """
        document, parts = unpack(decompress(data, unpacked_limit(shapes)), "delta")
        header = _parse_header(document)
        codec, _ = parse_codec(header.codec)
        _check_parts(parts, shapes)
        by_tensor: dict[str, Tensors] = {name: {} for name in shapes}
        for key, part in parts.items():
            name = key if key in by_tensor else key.rpartition(".")[0]
            by_tensor.setdefault(name, {})[key[len(name) :]] = part
        tensors = {
            name: codec.open(by_tensor[name], shapes[name]) if name in shapes else np.zeros(0)
            for name in by_tensor
        }
        check_shapes(tensors, shapes, "delta")
        # Of quantised tensors only the scales could be non-finite, and their codec has looked at them.
        floats = {name: each for name, each in tensors.items() if not isinstance(each, Quantised)}
        check_finite(floats, "delta")
        return cls(header, tensors)

    def norms(self, matrices: Parameters | None = None) -> dict[str, float]:
        """Euclidean norm of each part (`skills.parts.part_of`); a piece at a time is expanded.

        Args:
            matrices: See `matrices_of_delta`: of these, the norm of what their factors make.

        Raises:
            ArtefactError: See `skills.low_rank.factors_of`.
        """
        matrices = matrices or {}
        factors = factors_of(self.tensors, matrices, self.header.base)
        products = product_norm(factors.values())
        rest = {n: t for n, t in self.tensors.items() if not _is_factor(n, matrices)}
        found = {
            part: hypot(*(_length(piece) for each in tensors.values() for piece in decoded_pieces(each)))
            for part, tensors in by_part(rest).items()
        }
        return found | {"network": hypot(found.get("network", 0.0), products)}


def unpacked_limit(shapes: Parameters) -> int:
    """Bytes that a delta file of these shapes may have at most, in any codec."""
    return 8 * sum(prod(shape) for shape in shapes.values()) + HEADER_ALLOWANCE


def shapes_of_delta(base: Manifest, plan: TrainingPlan) -> Parameters:
    """Which tensors a delta of such a round has, and their shapes."""
    network = base.network.shapes()
    return factor_shapes(_shared(base, plan), plan.low_rank) | carried_shapes(network, plan.carries)


def matrices_of_delta(base: Manifest, plan: TrainingPlan) -> Parameters:
    """Of which matrices such a delta has factors, with their own shapes.

    Raises:
        ContractError: See `skills.low_rank.chosen`.
    """
    return chosen(_shared(base, plan), plan.low_rank)


def _shared(base: Manifest, plan: TrainingPlan) -> Parameters:
    network = base.network.shapes()
    return policy_of(network) if plan.share == "policy" else network


def learned(
    child: Mapping[str, NDArray[Any]], base: Skill, plan: TrainingPlan
) -> Mapping[str, NDArray[np.float64]]:
    """What a robot sends after a round: all that the plan asks for, each tensor when it is looked at.

    The network's part is scaled down to the plan's `clip_norm`; what is carried has its length by itself.

    Args:
        child: Weights, and with variates what the robot found of each carried tensor, and of matrices
            that the plan names both factors; others are left out.
        base: What it began with.
        plan: The round's.

    Raises:
        ArtefactError: Something that the plan asks for is missing, or has another shape.
    """
    shapes = shapes_of_delta(base.manifest, plan)
    nothing = np.zeros(())
    before = {name: base.tensors.get(name, np.broadcast_to(nothing, shape)) for name, shape in shapes.items()}
    found = subtract({name: child[name] for name in shapes if name in child}, before)
    matrices = matrices_of_delta(base.manifest, plan)
    whole = length(LazyTensors(network_of(shapes), found.__getitem__), child, matrices)
    factor = plan.clip_norm / whole if whole > plan.clip_norm else 1.0
    kept = {name + A for name in matrices}  # B alone makes the product shorter
    return LazyTensors(shapes, lambda n: found[n] if is_carried(n) or n in kept else found[n] * factor)


def length(
    network: Mapping[str, NDArray[Any]], child: Mapping[str, NDArray[Any]], matrices: Parameters
) -> float:
    """Euclidean norm of a delta's network, of products where it has factors.

    Args:
        network: What is sent of it.
        child: Has both factors of each matrix.
        matrices: See `matrices_of_delta`.
    """
    pairs = [tuple(child[name + each].astype(np.float64) for each in (B, A)) for name in matrices]
    rest = LazyTensors((n for n in network if not _is_factor(n, matrices)), network.__getitem__)
    return hypot(norm(rest), product_norm((left, right) for left, right in pairs))


def subtract(
    child: Mapping[str, NDArray[Any]], base: Mapping[str, NDArray[Any]]
) -> Mapping[str, NDArray[np.float64]]:
    """Child - base in float64, each tensor when it is asked for.

    Raises:
        ArtefactError: The two have different tensors.
    """
    check_shapes(child, _shapes(base), "child")
    return LazyTensors(base, lambda name: child[name].astype(np.float64) - base[name])


def apply(base: Mapping[str, NDArray[Any]], delta: Mapping[str, NDArray[Any]]) -> Tensors:
    """Base + delta, rounded once to the base's dtype.

    Raises:
        ArtefactError: The two have different tensors.
    """
    check_shapes(delta, _shapes(base), "delta")
    return {
        name: (tensor.astype(np.float64) + delta[name]).astype(tensor.dtype) for name, tensor in base.items()
    }


def norm(tensors: Mapping[str, NDArray[Any]]) -> float:
    """Euclidean norm of the whole vector; it neither over- nor underflows."""
    return hypot(*(_length(piece) for tensor in tensors.values() for piece in pieces(tensor)))


def clip(tensors: Mapping[str, NDArray[np.float64]], limit: float) -> Mapping[str, NDArray[np.float64]]:
    """Scaled down to norm `limit` if it is larger, each tensor when it is asked for; direction unchanged."""
    length = norm(tensors)
    factor = limit / length if length > limit else 1.0
    return LazyTensors(tensors, lambda name: tensors[name] * factor)


def _check_parts(names: Iterable[str], shapes: Parameters) -> None:
    """Say in words where a whole part is missing, or was not asked for."""
    there = tuple(names)
    for prefix, what in PARTS.items():
        found, asked = (any(name.startswith(prefix) for name in each) for each in (there, shapes))
        if found != asked:
            raise ArtefactError(
                f"the delta has {what}, for which its round does not ask."
                if found
                else f"the delta lacks {what}, for which its round asks.",
                where=prefix.rstrip("."),
                remedy="Send what the assignment's training plan says; an older Zunft may not know it.",
                code="wrong_shape",
            )


def _is_factor(name: str, matrices: Parameters) -> bool:
    return name.endswith((A, B)) and name[: -len(A)] in matrices


def _shapes(tensors: Mapping[str, Shaped]) -> Parameters:
    return {name: tensor.shape for name, tensor in tensors.items()}


def _length(numbers: NDArray[Any]) -> float:
    peak = float(np.abs(numbers).max(initial=0.0))
    if peak == 0.0 or not np.isfinite(peak):
        return peak
    return peak * float(np.sqrt(np.square(numbers / peak, dtype=np.float64).sum()))


def _parse_header(document: str) -> DeltaHeader:
    try:
        return DeltaHeader.model_validate_json(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = "delta." + ".".join(str(part)[:64] for part in first["loc"])
        raise ArtefactError(f"{first['msg']}.", where=where) from error
