"""All pages, registered with NiceGUI once a process."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from fastapi import FastAPI
from nicegui import app, ui
from nicegui.language import Language

from hub.console.language import TAGS, spoken
from hub.console.pages import (
    adoption,
    audit,
    campaign,
    compare,
    explain,
    joining,
    leaderboard,
    login,
    missing,
    people,
    replay,
    robot,
    robots,
    rolling,
    rollout,
    rollouts,
    skill,
    skills,
    start,
    task,
    tasks,
)
from hub.console.pictures import ADDRESS
from hub.console.reader import Spoken
from hub.console.theme import MARK, head_html

__all__ = ["build", "is_running"]


ANSWER_SECONDS = 60.0
"""How long a busy machine may take to build a page; of waiting for the database `hub.console.live` tells."""


class Page(ui.page):
    """A page in the language of who looks."""

    def __init__(self, path: str) -> None:
        super().__init__(path, response_timeout=ANSWER_SECONDS)

    def resolve_language(self) -> Language:
        """For `<html lang>`, and for what NiceGUI itself says."""
        return TAGS[spoken()]


@cache
def build() -> FastAPI:
    """NiceGUI's own app with all pages; start it by its lifespan."""
    ui.add_head_html(head_html(), shared=True)
    app.add_middleware(Spoken)
    Page("/")(start.page)
    Page("/skills")(skills.page)
    Page("/login")(login.page)
    Page("/skills/{name}")(skill.page)
    Page("/robots")(robots.page)
    Page("/robots/join")(joining.page)
    Page("/robots/{robot_id}")(robot.page)
    Page("/skills/{name}/compare")(compare.page)
    Page("/skills/{name}/explain")(explain.page)
    Page("/skills/{name}/rollout")(rolling.page)
    Page("/rollouts")(rollouts.page)
    Page("/rollouts/{rollout_id}")(rollout.page)
    Page("/skills/{name}/robots")(adoption.page)
    Page("/skills/{name}/replay")(replay.page)
    Page("/tasks")(tasks.page)
    Page("/tasks/{name}")(task.page)
    Page("/campaigns/{campaign_id}")(campaign.page)
    Page("/tasks/{name}/leaderboard")(leaderboard.page)
    Page("/people")(people.page)
    Page("/audit")(audit.page)
    app.add_static_files(ADDRESS, str(files("hub.console.pictures")), max_cache_age=86_400)
    Page("/{rest:path}")(missing.page)
    app.on_page_exception(missing.failed)
    ui.run_with(
        FastAPI(),  # takes the settings; requests come straight from `hub.console.Console`
        title="Zunft",
        favicon=MARK,
        dark=None,
        language="en-US",
        tailwind=False,
        show_welcome_message=False,
    )
    return app


def is_running() -> bool:
    """Whether NiceGUI already serves a hub of this process."""
    return app.is_started
