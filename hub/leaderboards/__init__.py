"""Leaderboards: every skill of a task scored by the hub itself, on the same held-out seeds."""
