"""Signed metadata by The Update Framework: what the guild vouches for, and the keys that say so."""
