"""Robots: how they join, who is there, and what they can run."""
