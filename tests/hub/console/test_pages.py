"""The pages in a real browser, on a real hub with versions that it merged and measured itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
import pytest
from playwright.sync_api import Browser, expect

from fleet.client import OperatorClient, enrol
from hub.console.words import percent
from skills.messages.campaigns import CampaignRequest, CampaignView
from skills.messages.leaderboards import BoardEntry
from skills.messages.lists import BoardQuery, VersionQuery
from skills.messages.plans import GatePlan, MergePlan
from skills.messages.robots import EnrolmentRequest, EnrolmentTokenRequest
from skills.signing import SigningKey
from skills.skill import Skill
from tests.browser import TIMEOUT_MS, chromium, looking_at, open_browser
from tests.eventually import eventually
from tests.hub.conftest import Robot, ok, random_tensors, tiny_skill
from zunft.hub_process import run_hub
from zunft.new_skill import new_skill

HOSTILE = '<img src=x onerror="document.title=1"> `${document.title=2}` </script>'
GATE = GatePlan(embodiments=("ur5e",), episodes=4, margin=1)
MERGE = MergePlan(rule="trimmed-mean", options={"trim": 0.1}, clip=3, optimiser="yogi", max_staleness=2)
ROUNDS = 3

expect.set_options(timeout=TIMEOUT_MS)


@dataclass
class Guild:
    """A hub in its own process, a campaign with one round behind it, and the robot that it waits for."""

    url: str
    operator: OperatorClient
    robot: Robot
    campaign_id: str
    skill: Skill

    @property
    def campaign(self) -> CampaignView:
        return self.operator.campaign(self.campaign_id)

    def work(self) -> None:
        """Do the robot's part of the open round."""
        work = self.robot.assignment("weld-seam")
        assert work is not None
        step = {name: tensor * 1e-3 for name, tensor in random_tensors(self.skill, work.number).items()}
        ok(self.robot.push(work.round_id, self.robot.delta(work, step)))

    def wait_for_round(self, number: int) -> None:
        """Until the hub has measured what came before, and this round waits for robots."""
        eventually(lambda: len(self.campaign.rounds) >= number, lambda: self.campaign)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as found:
        yield found


@pytest.fixture(scope="module")
def guild(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guild]:
    chromium()  # skips before a hub is started in vain
    hub_of_all = run_hub(tmp_path_factory.mktemp("guild"), leaderboards=True)
    with hub_of_all as hub, httpx.Client(base_url=hub.url) as client:
        operator = OperatorClient.open(hub.url, hub.admin_token)
        skill = new_skill("weld-seam", seed=0)
        operator.publish_skill(skill)
        operator.change_minimum("weld-seam", 0.0)
        operator.publish_skill(tiny_skill(summary=HOSTILE))
        key = SigningKey.generate()
        token = operator.create_tokens(EnrolmentTokenRequest())[0].token
        request = EnrolmentRequest(
            token=token, name="welder-1", embodiment="ur5e", public_key=key.public.text
        )
        robot = Robot(client, lambda: datetime.now(UTC), enrol(hub.url, request).robot_id, key)
        order = CampaignRequest(skill="weld-seam", rounds=ROUNDS, quorum=1, target=1, gate=GATE, merge=MERGE)
        campaign = operator.start_campaign(order)
        found = Guild(hub.url, operator, robot, campaign.campaign_id, skill)
        found.wait_for_round(1)
        found.work()
        found.wait_for_round(2)
        yield found


def test_the_catalogue_shows_the_hub_s_numbers(guild: Guild, browser: Browser) -> None:
    stable = guild.operator.version("weld-seam", "stable")
    assert stable.score is not None
    with looking_at(browser, f"{guild.url}/skills") as page:
        row = page.get_by_role("row").filter(has=page.get_by_role("link", name="weld-seam"))
        expect(row).to_contain_text(f"v{stable.version}")
        expect(row).to_contain_text(percent(stable.score.score))
        page.goto(f"{guild.url}/")
        card = page.get_by_role("article")
        expect(card).to_contain_text(f"Round 2 of {ROUNDS}")
        expect(card).to_contain_text("0 deltas so far")


def test_a_skill_s_page_shows_its_history_and_how_to_run_it(guild: Guild, browser: Browser) -> None:
    versions = guild.operator.versions("weld-seam", VersionQuery()).items
    with looking_at(browser, f"{guild.url}/skills/weld-seam") as page:
        table = page.get_by_role("table")
        for version in versions:
            row = table.get_by_role("row").filter(has_text=f"v{version.version}")
            expect(row).to_contain_text(version.digest[7:19])
            if version.score is not None:
                expect(row).to_contain_text(percent(version.score.score))
        chart = page.get_by_role("img", name="Success against version")
        expect(chart.locator("svg")).to_contain_text("v2")
        expect(page.get_by_role("img", name="ur5e").locator("svg")).to_contain_text("ur5e")
        expect(page.get_by_role("img", name="Lineage").locator("svg")).to_contain_text("v1")
        commands = page.locator("code").all_text_contents()
        assert f"zunft skill pull weld-seam@stable --hub {guild.url} -o weld-seam.skill" in commands
        download = next(line for line in commands if line.startswith("curl")).split()[2]
        stable = Skill.from_bytes(ok(httpx.get(download)).content)
        assert stable.digest == guild.operator.version("weld-seam", "stable").digest


def test_a_task_s_leaderboard_shows_every_robot(guild: Guild, browser: Browser) -> None:
    # The hub measures beside the other tests: until it has, the board has the version before.
    stable = guild.operator.version("weld-seam", "stable").version

    def measured() -> BoardEntry | None:
        entries = guild.operator.leaderboard("weld-seam", BoardQuery()).entries
        return next((each for each in entries if each.version == stable), None)

    entry = eventually(measured)
    with looking_at(browser, f"{guild.url}/tasks/weld-seam/leaderboard") as page:
        row = page.get_by_role("table").get_by_role("row").filter(has_text="weld-seam")
        expect(row).to_contain_text(percent(entry.score.score))
        for robot in entry.by_embodiment:
            chart = page.get_by_role("img", name=robot, exact=False)
            expect(chart.locator("svg")).to_contain_text("weld-seam")
        href = row.get_by_role("link", name="Download").get_attribute("href")
        assert len(ok(httpx.get(f"{guild.url}{href}")).content) == entry.replay_size
        assert page.locator("h1").count() == 1


def test_a_campaign_s_page_follows_a_round_without_being_loaded_again(guild: Guild, browser: Browser) -> None:
    with looking_at(browser, f"{guild.url}/campaigns/{guild.campaign_id}") as page:
        expect(page.get_by_text("0 of 1 deltas")).to_be_visible()
        expect(page.get_by_role("heading", name=f"Round 2 of {ROUNDS}")).to_be_visible()
        for words in ("clip 3, trimmed-mean (trim 0.1)", "yogi, learning rate 0.01", "up to 2 rounds"):
            expect(page.get_by_text(words)).to_be_visible()
        page.locator("svg[width]").first.evaluate("drawing => { drawing.wasHere = true }")
        first_row = page.get_by_role("row").nth(2).element_handle()
        assert page.get_by_role("table", name="Robots in the newest round").count() == 0  # for operators
        guild.work()
        guild.wait_for_round(3)
        expect(page.get_by_role("heading", name=f"Round 3 of {ROUNDS}")).to_be_visible()
        gate = guild.campaign.rounds[1].gate
        assert gate is not None
        expect(page.get_by_role("row").filter(has_text=gate.reason).first).to_be_visible()
        assert page.locator("svg[width]").first.evaluate("drawing => drawing.wasHere")
        assert first_row is not None
        assert first_row.evaluate("row => row.isConnected")


def test_what_users_wrote_stays_text(guild: Guild, browser: Browser) -> None:
    with looking_at(browser, f"{guild.url}/skills/reach") as page:
        expect(page.get_by_text(HOSTILE)).to_be_visible()
        assert page.title().startswith("reach")
        assert page.locator("img").count() == 0


@pytest.mark.parametrize(
    "path", ["/", "/skills", "/skills/weld-seam", "/campaigns/{}", "/tasks/weld-seam/leaderboard"]
)
def test_pages_fit_a_phone(guild: Guild, browser: Browser, path: str) -> None:
    with looking_at(browser, guild.url + path.format(guild.campaign_id), width=360) as page:
        expect(page.get_by_role("table").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_look_follows_the_system_and_then_the_visitor(guild: Guild, browser: Browser) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    with looking_at(browser, f"{guild.url}/", dark=True) as page:
        by_night = page.evaluate(ground)
        page.get_by_role("button", name="Light or dark").press("Enter")
        by_day = page.evaluate(ground)
        page.reload()
        page.wait_for_selector("h1")
        assert page.evaluate(ground) == by_day != by_night


def test_everything_that_acts_can_be_reached_and_has_a_name(guild: Guild, browser: Browser) -> None:
    with looking_at(browser, f"{guild.url}/skills/weld-seam") as page:
        for acting in page.locator("a[href], button, summary").all():
            assert acting.get_attribute("aria-label") or acting.inner_text().strip()
            assert acting.evaluate("element => element.tabIndex") >= 0
        assert page.locator("h1").count() == 1
        assert page.locator("html").get_attribute("lang")


def test_a_command_can_be_copied(guild: Guild, browser: Browser) -> None:
    with looking_at(browser, f"{guild.url}/skills/weld-seam") as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        line = f"zunft skill pull weld-seam@stable --hub {guild.url} -o weld-seam.skill"
        page.get_by_role("button", name=f"Copy: {line}").click()
        expect(page.get_by_text("Copied")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == line
