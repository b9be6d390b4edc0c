"""Signing in at the issuer: the browser is sent there, comes back with a code, and has a session.

These are addresses for the browser's own bar, so refusals are a page too: `/login` says in words what
the log says in full.
"""

from __future__ import annotations

import hmac
import re
from typing import Annotated, Any
from urllib.parse import quote, unquote

import structlog
from fastapi import APIRouter, Depends, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse

from hub.access.oidc_issuer import Attempt, Issuer
from hub.api.cookies import ATTEMPT, SESSION, Browser
from hub.api.deps import BrowserDep, ServicesDep, count_stranger
from hub.api.errors import refusals
from hub.services import Services
from skills.errors import NotFoundError, UnauthorizedError, ZunftError

__all__ = ["local_path", "login_page", "router"]

router = APIRouter(
    tags=["sessions"],
    dependencies=[Depends(count_stranger)],
    default_response_class=RedirectResponse,
    responses=refusals(422, 429, 503),
)

ATTEMPT_SECONDS = 600
LOCAL = re.compile(r"/(?!/)[A-Za-z0-9/_.~%?=&+-]*")
PAGE: dict[int | str, dict[str, Any]] = {
    303: {"description": "The browser goes on: to the issuer, into the console, or back to `/login`."},
}


log = structlog.get_logger("zunft.sign_in")


def local_path(address: str) -> str:
    """This address if it lies on this hub, else its first page: nobody is sent elsewhere after signing in."""
    return address if LOCAL.fullmatch(address) else "/"


def login_page(*, goal: str = "/", refused: str = "") -> str:
    """The address of the page that asks who you are.

    Args:
        goal: Where to go on to.
        refused: Code of the error that ended the last attempt.
    """
    said = f"&refused={quote(refused, safe='')}" if refused else ""
    return f"/login?next={quote(local_path(goal), safe='')}{said}"


@router.get("/login/issuer", status_code=303, responses={**PAGE, **refusals(404)})
async def go_to_issuer(
    services: ServicesDep,
    browser: BrowserDep,
    goal: Annotated[str, Query(alias="next", max_length=1024, description="Where to go on to.")] = "/",
) -> RedirectResponse:
    """Send the browser to the issuer of this hub."""
    issuer = _issuer(services)
    attempt = Attempt()
    try:
        browser.check_line()
        there = await issuer.sign_in_address(attempt, _callback(browser))
    except ZunftError as error:
        return _refuse(browser, error, goal)
    response = RedirectResponse(there, status_code=303)
    browser.write(response, ATTEMPT, f"{attempt.secret}.{quote(local_path(goal), safe='')}", ATTEMPT_SECONDS)
    return response


@router.get("/login/callback", status_code=303, responses={**PAGE, **refusals(404)})
async def come_back(
    services: ServicesDep,
    browser: BrowserDep,
    # However long each is, they fit the 64 kB that a web server reads of an address.
    state: Annotated[str, Query(max_length=256)] = "",
    code: Annotated[str, Query(max_length=3072)] = "",
    error: Annotated[str, Query(max_length=256, description="The issuer's own word for a refusal.")] = "",
    iss: Annotated[str, Query(max_length=1024, description="Who sends the browser back (RFC 9207).")] = "",
) -> RedirectResponse:
    """Redeem the issuer's code for a session."""
    issuer = _issuer(services)
    secret, _, kept = browser.read(ATTEMPT).partition(".")
    goal = local_path(unquote(kept))
    attempt = Attempt(secret)
    try:
        browser.check_line()
        if not secret or not hmac.compare_digest(state.encode(), attempt.state.encode()):
            raise _broken("this browser did not begin it, or too long ago")
        if iss not in {"", issuer.name}:
            raise _broken("another issuer sent the browser back")
        if error or not code:
            raise _broken(f"the issuer says {error or 'nothing'!r}")
        claims = await issuer.claims(code, attempt, _callback(browser))
        session, _user = await run_in_threadpool(
            services.access.sign_in.with_claims, claims, instead_of=browser.read(SESSION)
        )
    except ZunftError as refusal:
        return _refuse(browser, refusal, goal)
    response = RedirectResponse(goal, status_code=303)
    browser.drop(response, ATTEMPT)
    browser.write(response, SESSION, session, services.settings.session_seconds)
    return response


def _issuer(services: Services) -> Issuer:
    if services.access.issuer is None:
        raise NotFoundError(
            "this hub has no issuer to sign in at.",
            remedy="Sign in with your token, or set ZUNFT_OIDC_ISSUER.",
        )
    return services.access.issuer


def _callback(browser: Browser) -> str:
    return f"{browser.address}/login/callback"


def _broken(reason: str) -> UnauthorizedError:
    return UnauthorizedError(f"the sign-in cannot be finished: {reason}.", code="bad_sign_in")


def _refuse(browser: Browser, error: ZunftError, goal: str) -> RedirectResponse:
    log.warning("sign_in.refused", code=error.code, reason=error.message)
    response = RedirectResponse(login_page(goal=goal, refused=error.code), status_code=303)
    browser.drop(response, ATTEMPT)
    return response
