"""A campaign's training by Flower: `python -m benchmarks.others.flower server|client ...`, as processes.

Server and clients speak over gRPC as in `benchmarks.transfer_flower`. Clients train with the product's own
trainer, and keep from round to round what is private, as robots do. Who compares is `guild`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.others.setting import MEGABYTE, ROBOTS, TASK, Figures, common
from benchmarks.others.wire import relay
from benchmarks.transfer import watching
from skills.skill import Skill
from zunft.hub_process import free_port
from zunft.new_skill import new_skill

if TYPE_CHECKING:
    from skills.container import Tensors

__all__ = ["by_flower"]

QUIET = {"FLWR_TELEMETRY_ENABLED": "0"}
SINGLE_THREADED = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def by_flower(seed: int, quick: bool, folder: Path, figures: Figures, step: float = 1.0) -> Skill:
    """Flower's server with FedAvg and a client for each robot, all of them processes; the last weights.

    Args:
        seed: Of workshops and training.
        quick: See `common`.
        folder: For the result.
        figures: What was measured is entered there.
        step: Factor on the mean change; FedAvg takes it as it is.
    """
    port, result = free_port(), folder / "last.skill"
    words = [str(seed), str(int(quick))]
    with relay(port) as wire, ExitStack() as ends:
        server = ends.enter_context(_process("server", port, *words, str(result), str(step)))
        clients = [
            ends.enter_context(_process("client", wire.port, *words, str(number))) for number in range(ROBOTS)
        ]
        with watching(server.pid, *(client.pid for client in clients)) as (first, *others):
            codes = [process.wait() for process in (server, *clients)]
        if any(codes):
            raise RuntimeError(f"Flower's processes ended with {codes}")
        figures["MB sent"] = wire.passed / MEGABYTE
        figures["server MB"] = first.resident / MEGABYTE
        figures["robot MB"] = max(each.resident for each in others) / MEGABYTE
    return Skill.load(result)


def _process(kind: str, port: int, *words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-W", "ignore", "-m", __name__, kind, f"127.0.0.1:{port}", *words]
    environment = os.environ | QUIET | SINGLE_THREADED
    return subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)  # noqa: S603 - our own words


def serve(address: str, seed: int, quick: bool, result: Path, step: float) -> None:
    """FedAvg over all rounds (a step of 1; else FedAvgM without momentum); the last weights go to a file."""
    from flwr.common import ndarrays_to_parameters, parameters_to_ndarrays  # noqa: PLC0415 - optional
    from flwr.server import ServerConfig, start_server  # noqa: PLC0415
    from flwr.server.strategy import FedAvgM  # noqa: PLC0415

    setting, first = common(seed, quick), new_skill(TASK, seed=seed)

    class Kept(FedAvgM):
        def aggregate_fit(self, server_round: int, *rest: Any) -> Any:
            mean, metrics = super().aggregate_fit(server_round, *rest)
            if mean is None:
                raise RuntimeError("no client answered")
            _skill_of(first, parameters_to_ndarrays(mean)).save(result)
            return mean, metrics

    strategy = Kept(
        fraction_evaluate=0.0,
        min_fit_clients=setting.robots,
        min_available_clients=setting.robots,
        initial_parameters=ndarrays_to_parameters(list(first.tensors.values())),
        server_learning_rate=step,
        on_fit_config_fn=lambda number: {"round": number},
    )
    start_server(server_address=address, config=ServerConfig(num_rounds=setting.rounds), strategy=strategy)


def train(address: str, seed: int, quick: bool, number: int) -> None:
    """One robot: trains whenever the server asks."""
    from flwr.client import NumPyClient, start_client  # noqa: PLC0415 - optional

    from fleet.practice import train_locally  # noqa: PLC0415 - RLlib is for clients
    from fleet.twin import TwinPlace  # noqa: PLC0415

    setting, first = common(seed, quick), new_skill(TASK, seed=seed)
    plan, home = setting.training, setting.places().homes[number]
    trainer = TwinPlace(setting.loaded(), home, seed=seed + number).trainer(first.manifest.network, plan)

    class Client(NumPyClient):
        private: Tensors = {}  # noqa: RUF012 - one a process

        def fit(self, parameters: Any, config: Any) -> Any:
            trainer.restore(self.private)
            rate = plan.rate_of_round(int(config["round"]), setting.rounds)
            base = _skill_of(first, parameters)
            weights, report = train_locally(trainer, base, [rate], plan.iterations, proximal=plan.proximal)
            self.private = trainer.private()
            return [weights[name] for name in first.tensors], report.steps, {}

    start_client(server_address=address, client=Client().to_client())


def _skill_of(first: Skill, arrays: Any) -> Skill:
    """A skill from arrays in the order of the first one's."""
    pairs = zip(first.tensors, arrays, strict=True)
    return Skill(first.manifest, {name: np.asarray(array, np.float32) for name, array in pairs})


def main() -> None:
    """One end."""
    kind, address, seed, quick, *rest = sys.argv[1:]
    if kind == "server":
        result, step = rest
        serve(address, int(seed), bool(int(quick)), Path(result), float(step))
    else:
        [number] = rest
        train(address, int(seed), bool(int(quick)), int(number))


if __name__ == "__main__":
    main()
