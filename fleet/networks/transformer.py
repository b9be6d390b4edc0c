"""The torch twin of `skills.networks.transformer`: it learns from whole sequences, all steps at once."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from fleet.networks.base import TorchNetwork
from skills.networks.transformer import LEAST_SQUARE, Transformer

__all__ = ["TransformerNetwork"]


class TransformerNetwork(TorchNetwork):
    """Blocks of attention and a layer; its critic stays with the trainer."""

    recurrent = True

    def __init__(self, network: Transformer) -> None:
        super().__init__(network)
        self.memory_size = int(np.prod(network.memory_shape))
        self._network = network
        self.embed = nn.Linear(network.inputs, network.width)
        self.blocks = nn.ModuleList(_Block(network) for _ in range(network.layers))
        self.norm = nn.Parameter(torch.ones(network.width))
        self.action = nn.Linear(network.width, network.outputs)

    def own_name(self, tensor: str) -> str:
        """`policy.0.feed.norm` is `blocks.0.feed_norm`; the others drop `policy.`."""
        first, _, rest = tensor.removeprefix("policy.").partition(".")
        if not first.isdigit():
            return tensor.removeprefix("policy.")
        return f"blocks.{first}.{rest.replace('.', '_', 1)}"

    def step(self, observation: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """See `TorchNetwork.step`."""
        mean, after = self._run(observation[:, None], memory)
        return mean[:, 0], after

    def means(self, observation: Tensor, memory: Tensor) -> Tensor:
        """See `TorchNetwork.means`."""
        return self._run(observation, memory)[0]

    def _run(self, observation: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Mean actions (n, steps, outputs) and what is remembered after the last step."""
        known = memory.view(-1, *self._network.memory_shape)
        near, token, remembered = self._near(observation.shape[1]), self.embed(observation), []
        for number, block in enumerate(self.blocks):
            token, both = block(token, known[:, number], near)
            remembered.append(both[:, :, -known.shape[3] :])
        return self.action(norm(token, self.norm)), torch.stack(remembered, 1).flatten(1)

    def _near(self, steps: int) -> Tensor:
        """(heads, steps, known + steps) added to scores; -inf for what is too old or yet to come."""
        before = self._network.history - 1
        distances = before + np.arange(steps)[:, None] - np.arange(before + steps)
        near = self._network.nearness(distances)
        near[:, (distances < 0) | (distances > before)] = -np.inf
        return torch.from_numpy(near).to(self.norm)


class _Block(nn.Module):
    def __init__(self, network: Transformer) -> None:
        super().__init__()
        width = network.width
        self._heads = network.heads
        self.attention_norm = nn.Parameter(torch.ones(width))
        self.attention_read = nn.Linear(width, 3 * width, bias=False)
        self.attention_write = nn.Linear(width, width, bias=False)
        self.feed_norm = nn.Parameter(torch.ones(width))
        self.feed_wide = nn.Linear(width, network.hidden)
        self.feed_narrow = nn.Linear(network.hidden, width)

    def forward(self, token: Tensor, known: Tensor, near: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (n, steps, width) behind the block, and keys and values of all that was heeded.

        Args:
            token: (n, steps, width).
            known: (n, 2, before, width).
            near: (heads, steps, before + steps).
        """
        query, key, value = self.attention_read(norm(token, self.attention_norm)).chunk(3, -1)
        both = torch.cat((known, torch.stack((key, value), 1)), 2)
        asked, keys, values = (self._apart(each) for each in (query, both[:, 0], both[:, 1]))
        heard = functional.scaled_dot_product_attention(asked, keys, values, attn_mask=near)
        token = token + self.attention_write(heard.transpose(1, 2).flatten(2))
        wide = torch.relu(self.feed_wide(norm(token, self.feed_norm)))
        return token + self.feed_narrow(wide), both

    def _apart(self, tokens: Tensor) -> Tensor:
        jobs, steps, _ = tokens.shape
        return tokens.reshape(jobs, steps, self._heads, -1).transpose(1, 2)


def norm(token: Tensor, gain: Tensor) -> Tensor:
    """Tokens over the root of their mean square."""
    return token * torch.rsqrt(token.square().mean(-1, keepdim=True) + LEAST_SQUARE) * gain
