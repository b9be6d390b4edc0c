"""Robots in a campaign's newest round, on its page: who is at work, and what each brought."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from hub.access.principal import Principal
from hub.storage.record import record
from hub.storage.tables.rounds import DeltaRow, RoundRow
from hub.storage.tables.skills import ChannelRow
from skills.messages.campaigns import CampaignRequest
from tests.browser import TIMEOUT_MS, chromium, looking_at, open_browser
from tests.eventually import eventually
from tests.hub.conftest import publish_file, tiny_skill
from tests.hub.console.house import OLGA, House, house_in
from tests.hub.console.test_start import COUNT, clicks

expect.set_options(timeout=TIMEOUT_MS)


MOST_CLICKS = 2
SCORE = {"score": 0.4, "low": 0.3, "high": 0.5, "episodes": 100}


def begun(house: House) -> tuple[str, str, str]:
    """A campaign in its first round, the round, and the robot that works on it."""
    hub = house.services
    publish_file(hub, tiny_skill().to_bytes(), OLGA)
    with hub.storage.database.write() as session:
        session.add(ChannelRow(skill="reach", name="stable", number=1, counter=1, lowest=1))
    robot = house.robot("welder")
    campaign = hub.rounds.campaigns.start(CampaignRequest(skill="reach", rounds=3), by=OLGA).campaign_id
    work = eventually(
        lambda: hub.rounds.assignments.assignment(Principal(robot, "robot", "guild"), "reach"), "a round"
    )
    return campaign, work.round_id, robot


def bring(house: House, round_id: str, robot: str) -> None:
    """As if its delta had come."""
    with house.services.storage.database.write() as session:
        session.add(
            DeltaRow(
                digest="sha256:" + "1" * 64,
                round_id=round_id,
                robot_id=robot,
                samples=4160,
                size=100,
                norm=0.25,
                codec="raw",
                metrics={"success": 0.75},
                signature="",
                received_at=house.clock(),
            )
        )
        record(session, "delta.admitted", house.clock(), skill="reach", robot_id=robot, organisation="guild")


def test_an_operator_sees_who_is_at_work_and_what_each_brought(tmp_path: Path) -> None:
    chromium()
    with house_in(tmp_path) as house, open_browser() as browser:
        campaign, round_id, robot = begun(house)
        with looking_at(browser, f"{house.url}/campaigns/{campaign}", width=390) as page:
            house.sign_in(page)
            row = page.get_by_role("table", name="Robots in the newest round").get_by_role("row").nth(1)
            for words in ("welder", "under way", "not yet"):
                expect(row).to_contain_text(words)
            bring(house, round_id, robot)
            for words in ("has brought its delta", "4,160", "75.0 %"):
                expect(row).to_contain_text(words)
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
        with looking_at(browser, f"{house.url}/campaigns/{campaign}") as page:
            house.sign_in(page, "researcher")
            expect(page.get_by_role("heading", name="Campaign for reach")).to_be_visible()
            expect(page.get_by_role("heading", name="Robots in the newest round")).to_be_hidden()


def test_why_a_candidate_was_rejected_and_who_contributed_takes_few_clicks(tmp_path: Path) -> None:
    chromium()
    with house_in(tmp_path) as house, open_browser() as browser:
        _, round_id, robot = begun(house)
        bring(house, round_id, robot)
        with house.services.storage.database.write() as session:
            row = session.get_one(RoundRow, round_id)
            gate = {"passed": False, "reason": "Worse on ur5e.", "candidate": SCORE, "seconds": 1}
            row.state, row.gate = "rejected", gate
            record(session, "round.rejected", house.clock(), skill="reach", number=1, reason="Worse on ur5e.")
        with looking_at(browser, f"{house.url}/") as page:
            house.sign_in(page)
            page.wait_for_url(f"{house.url}/")
            page.context.add_init_script(COUNT)
            page.reload()
            page.get_by_role("article").get_by_role("link", name="reach").click()
            rounds = page.get_by_role("table", name="Rounds of this campaign").get_by_role("row")
            rejected = rounds.filter(has_text="Worse on ur5e.")
            rejected.get_by_role("link", name="1").click()
            expect(rejected).to_be_visible()
            row_of_robot = page.get_by_role("table", name="Robots in round 1").get_by_role("row").nth(1)
            for words in ("welder", "75.0 %"):
                expect(row_of_robot).to_contain_text(words)
            assert clicks(page) <= MOST_CLICKS
