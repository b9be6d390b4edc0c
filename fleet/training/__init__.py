"""How a robot learns: one `Trainer` an algorithm, RLlib's Learners behind them, without a Ray cluster.

RLlib and torch are loaded here, all at once. Modules that load are no garbage: to look for some in them,
again and again, would take a fifth of that time, and a robot's later rounds would go on looking.
"""

import gc

gc.disable()
try:
    import ray.rllib  # noqa: F401 - that it is loaded is all
finally:
    gc.freeze()
    gc.enable()
