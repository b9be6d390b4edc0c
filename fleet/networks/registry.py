"""Which torch twin a network has: Zunft's own, and those of packages installed beside it.

A package names a subclass of `TorchNetwork` under the entry point `zunft.torch_networks`, by the kind of the
network that it is the twin of.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

from fleet.networks.base import TorchNetwork
from fleet.networks.gru import GruNetwork
from fleet.networks.mlp import MlpNetwork
from fleet.networks.transformer import TransformerNetwork
from skills.errors import ContractError
from skills.networks.base import Network

__all__ = ["torch_network"]

OWN: dict[str, Callable[[Any], TorchNetwork]] = {
    "gru": GruNetwork,
    "mlp": MlpNetwork,
    "transformer": TransformerNetwork,
}


def torch_network(network: Network) -> TorchNetwork:
    """The twin of a network, untrained.

    Raises:
        ContractError: None is installed here.
    """
    twins = OWN | {point.name: point.load() for point in entry_points(group="zunft.torch_networks")}
    if network.kind not in twins:
        raise ContractError(
            f"nothing here trains networks of kind {network.kind}.",
            where="manifest.network",
            remedy=f"Install a package that does; there are {', '.join(sorted(twins))}.",
        )
    twin: TorchNetwork = twins[network.kind](network)
    return twin
