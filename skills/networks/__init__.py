"""Kinds of network that a skill may have: one file a kind, found by name in a registry."""
