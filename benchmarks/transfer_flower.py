"""The same exchange by Flower: a server process, clients as processes, one round of FedAvg.

    python -m benchmarks.transfer_flower server|client ADDRESS CLIENTS WEIGHTS

A client sends back the weights that it got, changed a little. Server and clients speak over gRPC as Flower's
own examples did; its newer SuperLink adds processes and stores between them.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Protocol

import numpy as np

__all__ = ["Found", "measure"]

ARRAYS = 14
LONGEST = 2**31 - 1  # bytes of a message of gRPC


class Watched(Protocol):
    """Peak memory of a process."""

    private: int


@dataclass(frozen=True)
class Found:
    """What a round took: bytes both ways, seconds from the first message to the end, peaks in bytes."""

    version: str
    bytes: int
    seconds: float
    server: int
    client: int


def measure(clients: int, weights: int, watching: Callable[..., AbstractContextManager[list[Any]]]) -> Found:
    """Run one round."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    rest = [address, str(clients), str(weights)]
    command = [sys.executable, "-m", __name__]
    quiet = {**os.environ, "FLWR_TELEMETRY_ENABLED": "0"}  # it tells its makers of each start otherwise
    server = subprocess.Popen(  # noqa: S603 - our own words
        [*command, "server", *rest], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=quiet
    )
    others = [
        subprocess.Popen(  # noqa: S603 - our own words
            [*command, "client", *rest], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=quiet
        )
        for _ in range(clients)
    ]
    try:
        with watching(server.pid, *(each.pid for each in others)) as (first, *more):
            out, _ = server.communicate()
    finally:
        server.kill()
        for other in others:
            other.kill()
            other.wait()
        server.wait()
    return Found(
        version=version("flwr"),
        bytes=2 * clients * weights * 4,
        seconds=json.loads(out.strip().splitlines()[-1])["seconds"],
        server=first.private,
        client=max(each.private for each in more),
    )


def run_server(address: str, clients: int, weights: int) -> None:
    """One round of FedAvg; prints how long it took, once all clients were there."""
    from flwr.common import ndarrays_to_parameters  # noqa: PLC0415 - optional
    from flwr.server import ServerConfig, start_server  # noqa: PLC0415
    from flwr.server.strategy import FedAvg  # noqa: PLC0415

    started: list[float] = []

    class Timed(FedAvg):
        def configure_fit(self, *arguments: Any, **named: Any) -> Any:
            found = super().configure_fit(*arguments, **named)
            started.append(time.monotonic())
            return found

    model = [np.random.default_rng(0).standard_normal(weights // ARRAYS, np.float32)] * ARRAYS
    strategy = Timed(
        fraction_evaluate=0.0,
        min_fit_clients=clients,
        min_available_clients=clients,
        initial_parameters=ndarrays_to_parameters(model),
    )
    del model
    start_server(
        server_address=address,
        config=ServerConfig(num_rounds=1),
        strategy=strategy,
        grpc_max_message_length=LONGEST,
    )
    print(json.dumps({"seconds": time.monotonic() - started[0]}), flush=True)


def run_client(address: str) -> None:
    """Fit once."""
    from flwr.client import NumPyClient, start_client  # noqa: PLC0415 - optional

    class Client(NumPyClient):
        def fit(self, parameters: Any, config: Any) -> Any:  # noqa: ARG002
            return [each + np.float32(1e-6) for each in parameters], 1, {}

    client = Client().to_client()
    start_client(server_address=address, client=client, grpc_max_message_length=LONGEST)


def main() -> None:
    """One end."""
    kind, address, clients, weights = sys.argv[1:]
    if kind == "server":
        run_server(address, int(clients), int(weights))
    else:
        run_client(address)


if __name__ == "__main__":
    main()
