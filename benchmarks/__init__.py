"""Measurements that take minutes, one script each; their results are in `results`."""
