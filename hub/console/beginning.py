"""The first steps of a hub as a checklist: each is done from here, with the command beside it."""

from __future__ import annotations

from hub.access.principal import Viewer
from hub.console.acting import choice, field, form
from hub.console.elements import Command, block, described, link, text
from hub.console.language import _
from hub.console.queries.start import StartPage
from skills.messages.base import API

__all__ = ["FirstSteps"]

TASK = "weld-seam"
ROUNDS, QUORUM = 12, 2


class FirstSteps:
    """Skill, robots, campaign: gone once a campaign was started, and for who could do none of it."""

    def __init__(self, address: str, viewer: Viewer, tasks: tuple[str, ...]) -> None:
        self._may = viewer is not None and viewer.may_act_as("operator", "operate")
        with described(block("ol", "steps section"), aria_label=_("First steps")) as self._element:
            self._skill = Step(_("Choose a task and begin its skill"))
            with self._skill.body:
                text(
                    "p",
                    _("Robots start from an untrained network that fits the task: the hub makes it."),
                    "note",
                )
                with form(f"{API}/skills/untrained", _("Begin"), goal="/"):
                    choice(_("Task"), "task", {each: each for each in tasks}, TASK)
                link(_("Or publish a task of your own"), "/tasks", "note")
                Command(f"zunft skill new {TASK} -o {TASK}.skill")
                Command(f"zunft skill publish {TASK}.skill --hub {address} --token TOKEN")
            self._robots = Step(_("Let robots in"))
            with self._robots.body:
                text("p", _("Each joins with a one-time token and one command."), "note")
                link(_("Make tokens"), "/robots/join", "primary step")
                Command(f"zunft token create --count 4 --hub {address} --token TOKEN")
            self._campaign = Step(_("Start a campaign"))
            with self._campaign.body:
                self._ready = text("p", "", "note")
                with block("div") as self._order:
                    pass
                self._begun_with = ""
                self._command = block("div")
                with self._command:
                    Command(f"zunft campaign start {TASK} --rounds {ROUNDS} --hub {address} --token TOKEN")

    def show(self, found: StartPage) -> None:
        """How far the hub is."""
        begun = found.overview.begun
        self._element.set_visibility(self._may and not begun.campaign)
        self._skill.show(is_done=begun.skill)
        self._robots.show(is_done=begun.robots)
        self._campaign.show(is_done=begun.campaign)
        self._ready.text = (
            _(
                "Robots practise the skill round by round, as its task advises. "
                "Those that join later take part."
            )
            if found.first
            else _("Begin a skill first.")
        )
        if found.first != self._begun_with:
            self._begun_with = found.first
            self._order.clear()
            with self._order:
                _order(found.first)


def _order(skill: str) -> None:
    fixed = {"skill": skill}
    with form(
        f"{API}/campaigns", _("Start for {skill}", skill=skill), fixed=fixed, goal="/campaigns/{campaign_id}"
    ):
        field(_("Rounds"), "rounds", type="number", value=str(ROUNDS), min="1", max="100000")
        field(_("Deltas at least"), "quorum", type="number", value=str(QUORUM), min="1", max="100000")


class Step:
    """One step with what it takes, and whether it is done."""

    def __init__(self, title: str) -> None:
        with block("li", "step card") as self._element, block("div", "titled"):
            text("h2", title)
            self._done = text("span", "", "badge stable")
        with self._element:
            self.body = block("div")

    def show(self, *, is_done: bool) -> None:
        """Done or not."""
        self._done.text = _("done")
        self._done.set_visibility(is_done)
        self.body.set_visibility(not is_done)
