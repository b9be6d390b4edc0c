"""Attestations: who vouches for what of a version, kept with it and shown to whoever sees it."""
