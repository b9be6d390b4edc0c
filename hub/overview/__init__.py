"""The hub at a glance: what goes on, and what of it needs a person."""
