"""What operators order of roll-outs, as a user's client says it to the hub."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from fleet import paths
from fleet.lists import Lists
from skills.messages.base import API
from skills.messages.reports import TagsChange
from skills.messages.rollouts import RolloutOrder, RolloutRequest, RolloutView

__all__ = ["RolloutOrders"]


@dataclass
class RolloutOrders(Lists):
    """Beside the lists, what is ordered and shown of one roll-out."""

    def start_rollout(self, request: RolloutRequest) -> RolloutView:
        """Bring a version to robots ring by ring."""
        return self.connection.ask(RolloutView, "POST", f"{API}/rollouts", request)

    def rollout(self, rollout_id: str) -> RolloutView:
        """One roll-out with what its robots say, and its journal."""
        return self.connection.ask(RolloutView, "GET", paths.rollout(rollout_id))

    def order_rollout(self, rollout_id: str, order: RolloutOrder) -> RolloutView:
        """Pause, resume, approve or abort it."""
        return self.connection.ask(RolloutView, "POST", f"{paths.rollout(rollout_id)}/orders", order)

    def tag_robot(self, robot_id: str, tags: TagsChange) -> TagsChange:
        """Call a robot by these tags, in place of all before."""
        path = f"{API}/robots/{quote(robot_id, safe='')}/tags"
        return self.connection.ask(TagsChange, "PUT", path, tags)
