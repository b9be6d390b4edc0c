"""What operators order of roll-outs, as a user's client says it to the hub."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from fleet import paths
from fleet.lists import Lists
from skills.messages.base import API
from skills.messages.reports import Adoption, TagsChange, Use
from skills.messages.rollouts import RolloutCounts, RolloutOrder, RolloutRequest, RolloutView

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

    def rollout_counts(self) -> RolloutCounts:
        """How many there are, are under way, and prevented an incident."""
        return self.connection.ask(RolloutCounts, "GET", f"{API}/rollouts/counts")

    def uses(self, robot_id: str) -> list[Use]:
        """What a robot says of each skill that it asks for."""
        path = f"{API}/robots/{quote(robot_id, safe='')}/uses"
        return self.connection.ask(list[Use], "GET", path)

    def adoption(self, skill: str) -> list[Adoption]:
        """How many of one's robots use each version of a skill, as they say."""
        return self.connection.ask(list[Adoption], "GET", f"{paths.skill(skill)}/adoption")

    def tag_robot(self, robot_id: str, tags: TagsChange) -> TagsChange:
        """Call a robot by these tags, in place of all before."""
        path = f"{API}/robots/{quote(robot_id, safe='')}/tags"
        return self.connection.ask(TagsChange, "PUT", path, tags)
