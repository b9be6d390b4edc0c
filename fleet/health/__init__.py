"""Machines that say when they wear: what a job tells of an arm, and what is usual for it."""
