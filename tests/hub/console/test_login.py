"""Signing in and acting in a real browser, on a hub that shows strangers nothing."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, Route, expect

from envs.task import load_task
from hub.access.principal import THE_HUB, Principal
from hub.app import create_app
from hub.services import Services
from hub.settings import Settings
from skills.messages.campaigns import CampaignRequest
from skills.messages.organisations import OrganisationRequest
from skills.messages.users import UserRequest
from tests.browser import TIMEOUT_MS, chromium, looking_at, open_browser
from tests.eventually import eventually
from tests.hub.conftest import ADMIN, Hands, StubGate, publish_file, tiny_skill
from tests.hub.issuer import CLIENT, SECRET, RunningIssuer, running_issuer
from zunft.new_skill import new_skill

expect.set_options(timeout=TIMEOUT_MS)

OLGA = Principal("olga", "operator", "guild")


@dataclass
class House:
    """A hub that listens in this process, so that tests move its clock."""

    url: str
    services: Services
    clock: Hands
    issuer: RunningIssuer

    def state(self, campaign_id: str) -> str:
        return self.services.rounds.campaigns.campaign(campaign_id, THE_HUB).state

    def says(self, *groups: str) -> None:
        """Whom the issuer knows."""
        now = self.clock().timestamp()
        self.issuer.says(now, sub="7f3c", preferred_username="ada@north.example", groups=groups)

    def token(self, role: str, organisation: str = "guild") -> str:
        """Of a new user with this role."""
        user = {"name": f"a {role} {time.monotonic_ns()}", "role": role, "organisation": organisation}
        return self.services.organisations.accounts.create(UserRequest.model_validate(user)).token


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as found:
        yield found


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    chromium()  # skips before anything is started in vain
    clock = Hands()
    with (
        running_issuer() as issuer,
        listening(tmp_path_factory.mktemp("hub"), issuer, clock) as (url, services),
    ):
        publish_file(services, tiny_skill().to_bytes(), OLGA)
        publish_file(services, tiny_skill(version=2, seed=1).to_bytes(), OLGA)
        eventually(lambda: services.catalogue.skills.skill("reach", THE_HUB).stable)
        yield House(url, services, clock, issuer)


@contextmanager
def listening(folder: Path, issuer: RunningIssuer, clock: Hands) -> Iterator[tuple[str, Services]]:
    settings = Settings.model_validate(
        {
            "data_dir": folder,
            "admin_token": ADMIN,
            "public_catalogue": False,
            "oidc_issuer": issuer.name,
            "oidc_client_id": CLIENT,
            "oidc_client_secret": SECRET,
            "oidc_roles": {"welders": "operator", "students": "researcher"},
        }
    )
    app = create_app(settings, gate=StubGate(), clock=clock)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    eventually(lambda: server.started, "the hub", alive=thread.is_alive)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}", app.state.services
    finally:
        app.state.services.close_streams()
        server.should_exit = True
        thread.join()


def sign_in(page: Page, token: str) -> None:
    page.get_by_label("Your token").fill(token)
    page.get_by_role("button", name="Sign in").click()


def test_a_stranger_signs_in_at_the_issuer_and_is_where_they_wanted_to_be(
    house: House, browser: Browser
) -> None:
    house.says("welders")
    with looking_at(browser, f"{house.url}/skills/reach", beside=house.issuer.name) as page:
        expect(page).to_have_title("Sign in \u00b7 Zunft")
        assert "reach" not in page.locator("main, #content").first.inner_text()
        page.get_by_role("link", name="Continue at").click()
        page.wait_for_url(f"{house.url}/skills/reach")
        expect(page.get_by_role("heading", name="reach", exact=True)).to_be_visible()
        expect(page.get_by_text("ada@north.example")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        expect(page).to_have_url(re.compile("/login"))
        page.goto(f"{house.url}/")
        expect(page).to_have_url(re.compile("/login"))


def test_who_may_not_come_in_is_told_so_in_words(house: House, browser: Browser) -> None:
    house.says("cooks")
    with looking_at(browser, f"{house.url}/", beside=house.issuer.name) as page:
        page.get_by_role("link", name="Continue at").click()
        expect(page.get_by_role("alert").filter(has_text="may not use this hub")).to_be_visible()


def test_a_token_signs_in_and_stays_nowhere_in_the_page(house: House, browser: Browser) -> None:
    token = house.token("researcher")
    with looking_at(browser, f"{house.url}/") as page:
        sign_in(page, "zt_0123456789abcdef")
        expect(page.get_by_role("alert").filter(has_text="belongs to nobody")).to_be_visible()
        sign_in(page, token)
        page.wait_for_url(f"{house.url}/")
        expect(page.get_by_role("heading", name="Today")).to_be_visible()
        assert token not in page.content()
        assert page.evaluate("document.cookie") == ""
        assert token not in page.evaluate("JSON.stringify([localStorage, sessionStorage])")


def test_a_page_that_lies_open_ends_with_its_session(house: House, browser: Browser) -> None:
    with looking_at(browser, f"{house.url}/skills/reach") as page:
        sign_in(page, house.token("operator"))
        expect(page.get_by_role("heading", name="reach", exact=True)).to_be_visible()
        house.clock.advance(3600)
        expect(page).to_have_url(re.compile("/login"))


def test_an_operator_starts_and_stops_a_campaign_and_is_asked_first(house: House, browser: Browser) -> None:
    with looking_at(browser, f"{house.url}/skills/reach") as page:
        sign_in(page, house.token("operator"))
        page.get_by_label("Rounds").fill("5")
        page.get_by_role("button", name="Start", exact=True).click()
        page.wait_for_url("**/campaigns/c-*")
        campaign_id = page.url.split("/")[-1]
        assert house.services.rounds.campaigns.campaign(campaign_id, THE_HUB).order.rounds == 5
        stop = page.locator("#content").get_by_role("button", name="Stop campaign")
        stop.click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("Stop this campaign?")
        dialog.get_by_role("button", name="Cancel").click()
        expect(dialog).to_have_count(0)
        assert house.state(campaign_id) == "running"
        stop.click()
        dialog.get_by_role("button", name="Stop campaign").click()
        expect(stop).to_be_hidden()
        expect(page.get_by_text("Stopped by an operator.")).to_be_visible()
        assert house.state(campaign_id) == "stopped"


def test_what_the_task_advises_is_shown_and_ordered(house: House, browser: Browser) -> None:
    skill = new_skill("swing-load", seed=0)
    publish_file(house.services, skill.to_bytes(), OLGA)
    advice = load_task("swing-load").file.training.order()
    with looking_at(browser, f"{house.url}/skills/swing-load") as page:
        sign_in(page, house.token("operator"))
        expect(page.get_by_text("robots send policy, control variates")).to_be_visible()
        expect(page.get_by_label("Rounds")).to_have_value(str(advice.rounds))
        page.get_by_role("button", name="Start", exact=True).click()
        page.wait_for_url("**/campaigns/c-*")
        order = house.services.rounds.campaigns.campaign(page.url.split("/")[-1], THE_HUB).order
        assert (order.rounds, order.training, order.merge) == (advice.rounds, advice.training, advice.merge)


def test_an_operator_releases_a_version_and_takes_it_back(house: House, browser: Browser) -> None:
    with looking_at(browser, f"{house.url}/skills/reach") as page:
        sign_in(page, house.token("operator"))
        for version in ("v1", "v2"):
            row = page.get_by_role("row").filter(has_text=version)
            row.get_by_role("button", name="Make stable").click()
            page.get_by_role("dialog").get_by_role("button", name="Make stable").click()
            expect(row.get_by_role("button", name="Make stable")).to_be_hidden()
            assert (
                f"v{house.services.catalogue.skills.version('reach', 'stable', THE_HUB).version}" == version
            )


def test_what_the_hub_refuses_is_said_in_its_words(house: House, browser: Browser) -> None:
    with looking_at(browser, f"{house.url}/skills/reach") as page:
        sign_in(page, house.token("operator"))
        expect(page.get_by_role("button", name="Start", exact=True)).to_be_visible()
        begun = []

        def be_late(order: Route) -> None:
            """Somebody else has started one between the click and its arrival."""
            begun.append(house.services.rounds.campaigns.start(CampaignRequest(skill="reach"), by=THE_HUB))
            order.continue_()

        page.route("**/api/v1/campaigns", be_late)
        page.get_by_role("button", name="Start", exact=True).click()
        expect(page.get_by_role("link", name="Round 1 of 16 is under way")).to_be_visible()
        # The page has been shown anew, without its form; but not over what has still to be read.
        expect(page.get_by_role("alert").filter(has_text="Wait for it or stop it first.")).to_be_visible()
        house.services.rounds.campaigns.stop(begun[0].campaign_id, by=THE_HUB)


def test_a_researcher_is_offered_nothing_that_the_hub_would_refuse(house: House, browser: Browser) -> None:
    with looking_at(browser, f"{house.url}/skills/reach") as page:
        sign_in(page, house.token("researcher"))
        expect(page.get_by_role("table")).to_be_visible()
        for name in ("Make stable", "Start", "Stop campaign"):
            assert page.get_by_role("button", name=name, exact=True).count() == 0


def test_another_organisation_s_operator_looks_and_is_offered_nothing(house: House, browser: Browser) -> None:
    house.services.organisations.registry.create(OrganisationRequest(name="South"), by=THE_HUB)
    begun = house.services.rounds.campaigns.start(CampaignRequest(skill="reach"), by=THE_HUB)
    with looking_at(browser, f"{house.url}/skills/reach") as page:
        sign_in(page, house.token("operator", "South"))
        expect(page.get_by_role("table")).to_be_visible()
        assert page.get_by_role("button", name="Make stable").count() == 0
        page.goto(f"{house.url}/campaigns/{begun.campaign_id}")
        expect(page.get_by_text("running").first).to_be_visible()
        assert page.get_by_role("button", name="Stop campaign").count() == 0
    house.services.rounds.campaigns.stop(begun.campaign_id, by=THE_HUB)


def test_a_page_shows_what_its_viewer_may_see_and_forgets_it_with_the_right(
    house: House, browser: Browser
) -> None:
    publish_file(house.services, tiny_skill(name="inside").to_bytes(), OLGA, "organisation")
    with looking_at(browser, f"{house.url}/skills/inside") as page:
        sign_in(page, house.token("researcher"))
        expect(page.get_by_role("heading", name="inside", exact=True)).to_be_visible()
        house.services.catalogue.skills.show_to("inside", "private", by=OLGA)
        expect(page.get_by_role("status").filter(has_text="no longer fresh")).to_be_visible()
        page.reload()
        expect(page.get_by_role("heading", name="Nothing here under this name")).to_be_visible()


def test_another_site_s_form_does_nothing_with_the_cookie(house: House, browser: Browser) -> None:
    with looking_at(browser, f"{house.url}/skills/reach", beside=house.issuer.name) as page:
        sign_in(page, house.token("operator"))
        expect(page.get_by_role("table")).to_be_visible()
        begun = house.services.rounds.campaigns.start(CampaignRequest(skill="reach"), by=THE_HUB)
        stop = f"{house.url}/api/v1/campaigns/{begun.campaign_id}/stop"
        # Another port of this machine: browsers send it the cookie, because for them it is the same site.
        page.goto(f"{house.issuer.name}/count/keys")
        post = "address => fetch(address, { method: 'POST', credentials: 'include', mode: 'no-cors' })"
        page.evaluate(post, stop)
        assert house.state(begun.campaign_id) == "running"
        page.goto(f"{house.url}/skills/reach")
        page.evaluate(post, stop)
        assert house.state(begun.campaign_id) == "stopped"


def test_the_login_fits_a_phone_and_everything_has_a_name(house: House, browser: Browser) -> None:
    with looking_at(browser, f"{house.url}/login", width=360) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        for acting in page.locator("a[href], button").all():
            assert acting.get_attribute("aria-label") or acting.inner_text().strip()
        page.get_by_label("Your token").press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Sign in"
