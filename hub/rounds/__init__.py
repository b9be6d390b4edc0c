"""Campaigns and their rounds: from an order to a published version."""
