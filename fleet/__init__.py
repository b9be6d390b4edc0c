"""Robots: they train locally, send what they learned to a hub, and take the guild's mastery home."""
