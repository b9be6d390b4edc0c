"""Our Adam steps as torch's does, whichever was made first."""

from __future__ import annotations

import pytest
import torch
from torch.optim import Adam

from fleet.training.adam import PlainAdam


def trained(kind: type[Adam]) -> list[torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    weights = [torch.nn.Parameter(torch.randn(4, 3, generator=random)) for _ in range(3)]
    optimizer = kind(weights, lr=1e-2, eps=1e-5, fused=True)
    for _ in range(5):
        optimizer.zero_grad()
        torch.stack([(weight**3).sum() for weight in weights]).sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    moments = [optimizer.state[weight]["exp_avg_sq"] for weight in weights]
    return [*(weight.detach() for weight in weights), *moments]


@pytest.mark.parametrize("order", [(PlainAdam, Adam), (Adam, PlainAdam)])
def test_the_steps_are_torchs_bit_for_bit(order: tuple[type[Adam], type[Adam]]) -> None:
    first, second = map(trained, order)
    assert all(torch.equal(*pair) for pair in zip(first, second, strict=True))
