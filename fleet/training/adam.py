"""torch's Adam without torch's compiler, which takes a robot's process longer to load than RLlib.

torch wraps three of its optimisers' methods so that its compiler leaves them out, and loads the compiler to
say so: 1.3 s of a processor and 65 MB. Robots compile nothing.
"""

from __future__ import annotations

from inspect import unwrap

import torch
from torch.optim import Adam, Optimizer

__all__ = ["PlainAdam"]


class PlainAdam(Adam):
    """The same steps, bit for bit."""

    add_param_group = unwrap(Optimizer.add_param_group)
    zero_grad = unwrap(Optimizer.zero_grad)
    step = torch.no_grad()(unwrap(Adam.step))
