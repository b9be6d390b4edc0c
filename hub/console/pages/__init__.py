"""All pages, registered with NiceGUI once a process."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from fastapi import FastAPI
from nicegui import app, ui

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
from hub.console.theme import MARK, head_html

__all__ = ["build", "is_running"]


@cache
def build() -> FastAPI:
    """NiceGUI's own app with all pages; start it by its lifespan."""
    ui.add_head_html(head_html(), shared=True)
    ui.page("/")(start.page)
    ui.page("/skills")(skills.page)
    ui.page("/login")(login.page)
    ui.page("/skills/{name}")(skill.page)
    ui.page("/robots")(robots.page)
    ui.page("/robots/join")(joining.page)
    ui.page("/robots/{robot_id}")(robot.page)
    ui.page("/skills/{name}/compare")(compare.page)
    ui.page("/skills/{name}/explain")(explain.page)
    ui.page("/skills/{name}/rollout")(rolling.page)
    ui.page("/rollouts")(rollouts.page)
    ui.page("/rollouts/{rollout_id}")(rollout.page)
    ui.page("/skills/{name}/robots")(adoption.page)
    ui.page("/skills/{name}/replay")(replay.page)
    ui.page("/tasks")(tasks.page)
    ui.page("/tasks/{name}")(task.page)
    ui.page("/campaigns/{campaign_id}")(campaign.page)
    ui.page("/tasks/{name}/leaderboard")(leaderboard.page)
    ui.page("/people")(people.page)
    ui.page("/audit")(audit.page)
    app.add_static_files(ADDRESS, str(files("hub.console.pictures")), max_cache_age=86_400)
    ui.page("/{rest:path}")(missing.page)
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
