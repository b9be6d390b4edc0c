"""Merging: how deltas become one update. Rules over tensors only; no database, store or web."""

from hub.merging.chain import Chain, make_chain
from hub.merging.engine import Engine, choose_engine
from hub.merging.errors import MergeError
from hub.merging.merge import Merged, merge, merge_arrays
from hub.merging.optimiser import ServerMomentum

__all__ = [
    "Chain",
    "Engine",
    "MergeError",
    "Merged",
    "ServerMomentum",
    "choose_engine",
    "make_chain",
    "merge",
    "merge_arrays",
]
