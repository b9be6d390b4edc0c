"""The two ends of `benchmarks.transfer` as processes: a hub whose gate takes what comes, and a robot.

    python -m benchmarks.transfer_ends hub                    settings from the environment
    python -m benchmarks.transfer_ends robot HOME HUB TOKEN   obeys the words on its standard input

A robot answers each word, `ask`, `pull`, `make`, `push` and `refresh`, with the bytes that it took.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import uvicorn
from numpy.typing import NDArray

from fleet.client import HubClient
from fleet.membership import connect, join
from fleet.robot_folder import Pending, RobotFolder
from hub.app import create_app
from hub.log import configure_logging
from hub.settings import Settings
from skills.container import Spec, TensorWriter, digest_of
from skills.delta import Delta, DeltaHeader, LazyTensors
from skills.files import atomic_file
from skills.manifest import Channel, Contract, Manifest
from skills.messages.plans import GatePlan
from skills.messages.rounds import Assignment
from skills.messages.skills import GateReport, ScoreView
from skills.networks.mlp import Mlp
from skills.skill import Skill

__all__ = ["NAME", "make_skill"]

NAME = "reach"
LAYERS = 8  # hidden ones, in actor and critic: 14 square matrices
STEP = 1e-3


def make_skill(path: Path, numbers: int) -> None:
    """Write a skill of about so many weights, piece by piece."""
    width = max(1, round((numbers / (2 * (LAYERS - 1))) ** 0.5))
    network = Mlp(inputs=3, outputs=2, hidden=(width,) * LAYERS)
    contract = Contract(
        observation=(Channel(name="error", size=3, unit="m", scale=1),),
        action=(Channel(name="feed", size=2, unit="m/s", scale=1),),
        control_hz=50,
    )
    manifest = Manifest(name=NAME, version=1, task=NAME, contract=contract, network=network, origin="initial")
    rng = np.random.default_rng(0)
    specs = {name: Spec(np.dtype(np.float32), shape) for name, shape in network.shapes().items()}
    with atomic_file(path) as file:
        writer = TensorWriter(file, manifest.model_dump_json(), specs)
        for name, spec in specs.items():
            writer.write(name, rng.standard_normal(spec.shape, np.float32))


class Robot:
    """Its workbench, and what it does when it is told."""

    def __init__(self, bench: RobotFolder, client: HubClient) -> None:
        self._bench = bench
        self._client = client
        self._work: Assignment | None = None
        self._base: Skill | None = None

    def ask(self) -> int:
        """Ask until there is work."""
        while self._work is None:
            self._work = self._client.assignment(NAME)
        return 0

    def pull(self) -> int:
        """Fetch the round's base."""
        if self._work is None:
            raise RuntimeError("ask comes first")
        version = self._work.base
        self._base = self._client.fetch_skill(version, self._bench.skill_file(version.digest))
        return version.size

    def make(self) -> int:
        """A delta like any that was trained: as many numbers, none the same."""
        if self._work is None or self._base is None:
            raise RuntimeError("pull comes first")
        base, work = self._base.tensors, self._work
        header = DeltaHeader(
            base=self._base.digest,
            round_id=work.round_id,
            robot_id=self._bench.identity().robot_id,
            codec=work.training.codec,
            samples=1,
        )

        def learned(name: str) -> NDArray[np.float64]:
            return STEP * base[name].astype(np.float64)

        data = self._bench.write_delta(Delta(header, LazyTensors(base, learned)))
        self._bench.keep_pending(
            Pending(
                skill=NAME,
                campaign_id=work.campaign_id,
                round_id=work.round_id,
                number=work.number,
                digest=digest_of(data),
                deadline=work.deadline,
            )
        )
        return len(data)

    def push(self) -> int:
        """Bring it."""
        owed = self._bench.pending()
        if owed is None:
            raise RuntimeError("make comes first")
        self._client.push_delta(owed[0].round_id, owed[1])
        return len(owed[1])

    def refresh(self) -> int:
        """Fetch what came of it, once it is there."""
        version = self._client.version(NAME, "stable")
        while self._base is not None and version.digest == self._base.digest:
            time.sleep(0.05)
            version = self._client.version(NAME, "stable")
        self._client.fetch_skill(version, self._bench.skill_file(version.digest))
        return version.size


def run_robot(home: str, hub: str, token: str) -> None:
    """Join, and obey."""
    bench = RobotFolder(Path(home))
    join(bench, hub, token=token, name=Path(home).name, embodiment="ur5e")
    robot = Robot(bench, connect(bench))
    words: dict[str, Callable[[], int]] = {
        "ask": robot.ask,
        "pull": robot.pull,
        "make": robot.make,
        "push": robot.push,
        "refresh": robot.refresh,
    }
    for line in sys.stdin:
        print(words[line.strip()](), flush=True)


def instant_gate(_candidate: Skill, _current: Skill | None, _plan: GatePlan) -> GateReport:
    """Pass everything: what is measured here is transfers."""
    score = ScoreView(score=0.5, low=0, high=1, episodes=1)
    return GateReport(passed=True, reason="Not measured.", candidate=score, seconds=0.0)


def main() -> None:
    """One end."""
    if sys.argv[1] == "robot":
        run_robot(*sys.argv[2:])
        return
    settings = Settings()
    configure_logging(settings.log_level)
    app = create_app(settings, gate=instant_gate)
    uvicorn.run(app, host="127.0.0.1", port=settings.port, log_config=None, access_log=False)


if __name__ == "__main__":
    main()
