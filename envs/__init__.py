"""Tasks and embodiments on MuJoCo, as Gymnasium environments. Importing it registers them."""

from __future__ import annotations

from envs.registration import register

__all__ = ["register"]

register()
