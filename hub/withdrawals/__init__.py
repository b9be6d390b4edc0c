"""Withdrawals: a robot is forgotten, with all that it contributed, and what it was part of is made again."""
