"""Routes of sessions: a browser trades a token for one, and ends it.

Signing in at an issuer goes through the browser's address bar, see `hub.api.login`.
"""

from __future__ import annotations

import structlog
from fastapi import Depends, Response

from hub.api.cookies import SESSION
from hub.api.deps import BrowserDep, ServicesDep, UserReads, count_wrong
from hub.api.errors import refusals
from hub.api.examples import SessionBody
from hub.api.routers import noun_router
from skills.errors import UnauthorizedError
from skills.messages.users import UserView

__all__ = ["router"]

router = noun_router("sessions")

log = structlog.get_logger("zunft.sign_in")


@router.post(
    "/sessions",
    status_code=201,
    responses=refusals(401, 403, 413),
    dependencies=[Depends(count_wrong)],
)
def open_session(
    request: SessionBody, response: Response, services: ServicesDep, browser: BrowserDep
) -> UserView:
    """Sign in with a token: the session's secret is in a cookie that no script can read."""
    browser.check_line()
    browser.check_origin()
    try:
        secret, user = services.access.sign_in.with_token(request.token, instead_of=browser.read(SESSION))
    except UnauthorizedError as error:
        log.warning("sign_in.refused", code=error.code, reason=error.message)
        remedy = "See that it is whole, or ask an admin for a new one."
        raise UnauthorizedError(error.message, where="token", remedy=remedy, code=error.code) from error
    browser.write(response, SESSION, secret, services.settings.session_seconds)
    return services.organisations.accounts.user(user.name)


@router.delete("/sessions/current", status_code=204, responses=refusals(401, 403))
def end_session(services: ServicesDep, browser: BrowserDep, _: UserReads) -> Response:
    """Sign out: the session of this browser ends."""
    services.access.sessions.end(browser.read(SESSION))
    response = Response(status_code=204)
    browser.drop(response, SESSION)
    return response
