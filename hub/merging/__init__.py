"""Merging: how deltas become one update. Rules over tensors only; no database, store or web."""

from hub.merging.mean import Contribution, MergeError, StreamingMean, merge_mean
from hub.merging.optimiser import ServerMomentum

__all__ = ["Contribution", "MergeError", "ServerMomentum", "StreamingMean", "merge_mean"]
