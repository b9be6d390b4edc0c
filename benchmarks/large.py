"""A skill of 250 million weights, federated by low rank: `python -m benchmarks.large`, two minutes.

Six robots' deltas of rank 8 are merged as a hub's worker does it, in a process of its own whose memory is
watched; then every weight is held to the products as numpy makes them. Nobody trains: what factors are
worth for learning is `--learning`'s (`benchmarks.large_learning`), with a small network.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub.merging.low_rank import Products
from skills.container import Tensors
from skills.delta import Delta, DeltaHeader, EncodedDelta, matrices_of_delta, shapes_of_delta
from skills.files import map_file
from skills.low_rank import A, factors_of, first_factor
from skills.manifest import Channel, Contract, Manifest
from skills.messages.low_rank import LowRank
from skills.messages.plans import MergePlan, TrainingPlan
from skills.networks.transformer import Transformer
from skills.skill import Skill

Array = NDArray[np.float64]
INPUTS, OUTPUTS, ROBOTS, RANK = 37, 5, 6, 8
SIZES = {"width": 1024, "layers": 20, "heads": 16, "hidden": 4096}
PLANS = {
    "B and A, fp16": ({}, "fp16"),
    "B and A, int8": ({}, "int8"),
    "B alone, fp16": ({"frozen_a": True}, "fp16"),
}
MERGE = MergePlan(step=1.0, rule="geometric-median", clip=2.0)
DRIFTS = (0.03, 0.1, 0.3, 1.0)
RESULTS = Path("benchmarks/results/large.md")


def plan_of(name: str) -> TrainingPlan:
    """A campaign's."""
    fields, codec = PLANS[name]
    low_rank = LowRank.model_validate({"rank": RANK, "matrices": ["policy.*.weight"], **fields})
    return TrainingPlan(low_rank=low_rank, codec=codec, clip_norm=1e6)


def make_base(path: Path, sizes: dict[str, int]) -> Skill:
    """Any numbers, as large as weights are."""
    contract = Contract(
        observation=(Channel(name="all", size=INPUTS, unit="1", scale=1),),
        action=(Channel(name="all", size=OUTPUTS, unit="1", scale=1),),
        control_hz=50,
    )
    network = Transformer(inputs=INPUTS, outputs=OUTPUTS, **sizes)
    rng = np.random.default_rng(0)
    tensors: Tensors = {
        name: rng.standard_normal(shape, np.float32) * np.float32(shape[-1] ** -0.5)
        for name, shape in network.shapes().items()
    }
    tensors["log_std"] = np.full(OUTPUTS, -1, np.float32)
    Skill(Manifest(name="large", version=1, task="any", contract=contract, network=network), tensors).save(
        path
    )
    with path.open("rb") as file:
        return Skill.open(file)


def make_delta(path: Path, base: Skill, plan: TrainingPlan, robot: int) -> None:
    """As a robot's: what it found of A is a tenth as far from where A began as A is long."""
    rng = np.random.default_rng(robot)
    found: Tensors = {}
    for name, shape in shapes_of_delta(base.manifest, plan).items():
        numbers = 0.003 * rng.standard_normal(shape)
        if name.endswith(A):
            numbers *= 0.1 / (0.003 * shape[1] ** 0.5)
            numbers += first_factor(base.digest, name.removesuffix(A), (shape[0], shape[1]))
        found[name] = numbers
    header = DeltaHeader(
        base=base.digest, round_id="r", robot_id=f"{robot}", codec=plan.codec, samples=100 + robot
    )
    with path.open("wb") as file:
        Delta(header, found).write(file)


def opened(folder: Path, base: Skill, plan: TrainingPlan) -> dict[str, EncodedDelta]:
    """All robots' deltas by the names of their files."""
    found = {}
    for path in sorted(folder.glob("*.delta")):
        with path.open("rb") as file:
            found[path.stem] = EncodedDelta.from_bytes(map_file(file), shapes_of_delta(base.manifest, plan))
    return found


def merge_in(folder: Path, name: str) -> None:
    """What a hub's worker does, and what it took."""
    from hub.merging import choose_engine  # noqa: PLC0415 - its memory is the worker's
    from hub.workers.merge_round import Received, write_candidate  # noqa: PLC0415
    from hub.workers.merger import prepare  # noqa: PLC0415

    plan, engine = plan_of(name), choose_engine("cpu")
    prepare(engine)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew from what is resident now
    started = time.process_time()
    with (folder / "base.skill").open("rb") as file:
        base = Skill.open(file)
    matrices = matrices_of_delta(base.manifest, plan)
    received = {
        digest: Received(
            each.header.samples,
            None,
            each.norms(matrices)["network"],
            0,
            each.tensors,
            base=each.header.base,
        )
        for digest, each in opened(folder, base, plan).items()
    }
    checked = time.process_time()
    with (folder / "made.skill").open("wb") as skill, (folder / "state").open("wb") as state:
        write_candidate(
            skill,
            state,
            base,
            received,
            plan,
            MERGE,
            version=2,
            round_id="r",
            optimiser_state=None,
            engine=engine,
        )
    ended = time.process_time()
    print(
        json.dumps(
            {
                "peak": _status("VmHWM"),
                "own": _status("RssAnon"),
                "admission": checked - started,
                "merge": ended - checked,
            }
        )
    )


def _status(field: str) -> int:
    """Bytes of a field of this process's status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field + ":"))


def errors_of(folder: Path, base: Skill, plan: TrainingPlan) -> tuple[float, float]:
    """How far made weights are from base + sum of wi Bi Ai, and the first block's fold from that sum.

    Both relative. The rule's weights are found again from biases, by least squares; numpy makes products.
    """
    with (folder / "made.skill").open("rb") as file:
        made = Skill.open(file)
    matrices = matrices_of_delta(base.manifest, plan)
    pairs = [factors_of(each.tensors, matrices, base.digest) for each in opened(folder, base, plan).values()]
    biases = [name for name in shapes_of_delta(base.manifest, plan) if name.endswith("bias")]
    weights = _weights(base, made, opened(folder, base, plan), biases)
    wrong = long = astray = moved = 0.0
    for name in matrices:
        factors = [each[name] for each in pairs]
        change = np.asarray(sum(w * (b @ a) for w, (b, a) in zip(weights, factors, strict=True)))
        exact = base.tensors[name] + change
        wrong += float(np.square(made.tensors[name] - exact).sum())
        long += float(np.square(exact).sum())
        if name.startswith("policy.0."):
            fold = Products(factors).fold(weights).numbers(slice(0, change.size))
            astray += float(np.square(fold - change.ravel()).sum())
            moved += float(np.square(change).sum())
    return (wrong / long) ** 0.5, (astray / moved) ** 0.5


def _weights(base: Skill, made: Skill, deltas: dict[str, EncodedDelta], names: list[str]) -> Array:
    from skills.codecs import decode  # noqa: PLC0415 - here alone

    def flat(several: Iterator[Any]) -> Array:
        return np.concatenate([np.asarray(each, np.float64).ravel() for each in several])

    columns = np.stack([flat(decode(each.tensors[n]) for n in names) for each in deltas.values()], axis=1)
    moved = flat(made.tensors[n].astype(np.float64) - base.tensors[n] for n in names)
    return np.asarray(np.linalg.lstsq(columns, moved, rcond=None)[0], np.float64)


def wrong_means(seed: int = 0, size: int = 512) -> list[str]:
    """How wrong it is to average B and A apart, or to keep the best product of their rank, by drift of A."""
    rng = np.random.default_rng(seed)
    lines = ["| A drifts by | B and A apart | exact mean cut to rank 8 | fold |", "|---|---|---|---|"]
    begun = first_factor("sha256:", "w", (RANK, size))
    for drift in DRIFTS:
        left = rng.standard_normal((ROBOTS, size, RANK))
        right = begun + drift * rng.standard_normal((ROBOTS, RANK, size)) / size**0.5
        exact = (left @ right).mean(axis=0)
        apart = left.mean(axis=0) @ right.mean(axis=0)
        u, s, v = np.linalg.svd(exact)
        cut = (u[:, :RANK] * s[:RANK]) @ v[:RANK]
        products = Products(list(zip(left, right, strict=True)))
        fold = products.fold(np.full(ROBOTS, 1 / ROBOTS)).numbers(slice(0, exact.size)).reshape(exact.shape)
        found = [float(np.linalg.norm(e - exact) / np.linalg.norm(exact)) for e in (apart, cut, fold)]
        lines.append(f"| {drift:g} | {found[0]:.2f} | {found[1]:.2f} | {found[2]:.0e} |")
    return lines


def measure(sizes: dict[str, int], root: Path) -> list[str]:
    """The table of the large skill."""
    base = make_base(root / "base.skill", sizes)
    model = (root / "base.skill").stat().st_size
    heads = (
        "robots send",
        "bytes a robot and round",
        "of the model",
        "error of the fold",
        "of the weights",
        "peak resident, models",
        "of it of no file, MB",
        "admission, s",
        "merge, s",
    )
    weights = f"{model / 4e6:.0f} million weights, {model / 1e6:.0f} MB in float32"
    said = f"{weights}; {ROBOTS} robots, rank {RANK}, rule {MERGE.rule_in_words()}."
    lines = [said, "", f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for name in PLANS:
        for old in root.glob("*.delta"):
            old.unlink()
        for robot in range(ROBOTS):
            make_delta(root / f"{robot}.delta", base, plan_of(name), robot)
        size = (root / "0.delta").stat().st_size
        command = [sys.executable, "-m", "benchmarks.large", "--merge", str(root), name]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own words
        took = json.loads(done.stdout)
        of_weights, of_fold = errors_of(root, base, plan_of(name))
        lines.append(
            f"| {name} | {size / 1e6:.2f} MB | {size / model:.2%} | {of_fold:.1e} | {of_weights:.1e} "
            f"| {took['peak'] / model:.2f} | {took['own'] / 1e6:.0f} "
            f"| {took['admission']:.0f} | {took['merge']:.0f} |"
        )
        print(lines[-1], flush=True)
    return lines


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--learning", type=int, metavar="SEEDS", help="the small one, so many seeds")
    parser.add_argument("--merge", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    if options.merge:
        merge_in(Path(options.merge[0]), options.merge[1])
        return
    if options.learning:
        from benchmarks.large_learning import learning  # noqa: PLC0415 - torch and the tasks

        write(options.output, "learning", learning(options.learning))
        return
    with tempfile.TemporaryDirectory() as folder:
        write(options.output, "size", measure(SIZES, Path(folder)))
    write(options.output, "means", wrong_means())


def write(path: Path, part: str, lines: list[str]) -> None:
    """Put a part between its marks."""
    text = path.read_text(encoding="utf-8")
    begin, end = f"<!-- {part} -->", f"<!-- /{part} -->"
    before, after = text.split(begin)[0], text.split(end)[1]
    made = f"Made on {datetime.now(UTC):%Y-%m-%d}."
    path.write_text(before + "\n".join([begin, *lines, "", made, end]) + after, encoding="utf-8")


if __name__ == "__main__":
    main()
