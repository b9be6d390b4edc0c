"""Which kinds of network there are: Zunft's own, and those of packages installed beside it.

A package names a subclass of `Network` under the entry point `zunft.networks`, and its torch twin under
`zunft.torch_networks`. What a skill says is never imported: it chooses among kinds that are installed.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any

from pydantic import SerializeAsAny, WrapValidator
from pydantic.functional_validators import ModelWrapValidatorHandler

from skills.kinds import known_kinds
from skills.networks.base import Network
from skills.networks.gru import Gru
from skills.networks.mlp import Mlp
from skills.networks.transformer import Transformer

__all__ = ["AnyNetwork", "known_networks"]

OWN: tuple[type[Network], ...] = (Gru, Mlp, Transformer)


@lru_cache(maxsize=1)
def known_networks() -> dict[str, type[Network]]:
    """Each kind's class by its name, sorted.

    Raises:
        ValueError: Two classes claim one name.
    """
    return known_kinds(OWN, "zunft.networks")


def _of_its_kind(value: Any, _handler: ModelWrapValidatorHandler[Network]) -> Network:
    if isinstance(value, Network):
        return value
    kind = value.get("kind", "mlp") if isinstance(value, dict) else None
    if kind not in known_networks():
        known = ", ".join(known_networks())
        raise ValueError(f"there is no network of kind {str(kind)[:64]!r} here; known are {known}")
    return known_networks()[kind].model_validate(value)


AnyNetwork = Annotated[SerializeAsAny[Network], WrapValidator(_of_its_kind)]
"""A network of any kind that is known here, told apart by its `kind`."""
