"""The hub as an ASGI app: services, routers, errors. Nothing global: two apps are two hubs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version

import anyio
from anyio import to_thread
from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from starlette.middleware.body_limit import RequestBodyLimitMiddleware

from hub.api import (
    attestations,
    audit,
    campaigns,
    events,
    halls,
    health,
    leaderboards,
    login,
    metrics,
    organisations,
    overview,
    qr_codes,
    robots,
    rollouts,
    rounds,
    sessions,
    skills,
    tasks,
    tuf,
    uploads,
    users,
    webhooks,
    withdrawals,
)
from hub.api.bodies import AT_ONCE
from hub.api.deps import PROOF
from hub.api.errors import install_errors
from hub.api.headers import SecurityHeaders
from hub.api.rate_limits import RateLimits
from hub.api.requests import RequestLog
from hub.api.signed import declare_headers
from hub.api.traffic import Traffic
from hub.clock import Clock, utc_now
from hub.console import Pages, mount_console
from hub.console.here import PagesHere
from hub.metrics import Metrics
from hub.operations.gauges import Standing
from hub.services import Services, open_services
from hub.settings import Settings
from hub.workers.job import Gate

__all__ = ["create_app"]

THREADS = 16
"""Requests worked on at once; more threads would mostly hand the interpreter on to each other."""

NOUNS = (
    robots,
    rounds,
    skills,
    attestations,
    tuf,
    tasks,
    leaderboards,
    uploads,
    campaigns,
    rollouts,
    halls,
    events,
    users,
    sessions,
    organisations,
    overview,
    qr_codes,
    webhooks,
    withdrawals,
    audit,
)
DESCRIPTION = """
Robots learn from each other: they pull a skill, train in their own workshop, and push signed weight deltas;
the hub merges, gates and republishes them.

Users send `Authorization: Bearer zt_...`, browsers the cookie of a session; robots sign each request by
RFC 9421. Every refusal has the shape `ErrorBody`.
"""


def create_app(
    settings: Settings,
    *,
    gate: Gate | None = None,
    clock: Clock = utc_now,
    pages: Callable[[Services], Pages] = PagesHere,
) -> FastAPI:
    """A hub with these settings; `app.state.services` is the hub without the web.

    Args:
        settings: The hub's configuration.
        gate: How candidates are measured, in this process; by default in worker processes, in simulation.
        clock: The time.
        pages: What builds the console's pages.

    Raises:
        SettingsError, StoreError: The database or the store cannot be used.
    """
    counted = Metrics()
    services = open_services(settings, gate=gate, clock=clock, metrics=counted)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        to_thread.current_default_thread_limiter().total_tokens = THREADS
        services.start()
        try:
            yield
        finally:
            await run_in_threadpool(services.close)

    app = FastAPI(
        title="Zunft hub",
        description=DESCRIPTION,
        version=version("zunft"),
        lifespan=lifespan,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # `/metrics` and the log are ours
    )
    app.state.services = services
    app.state.limits = RateLimits(settings)
    app.state.heavy = anyio.CapacityLimiter(AT_ONCE)
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=settings.message_limit)
    app.add_middleware(RequestLog)
    if settings.metrics:
        _measure(app, services, counted, clock)
    app.add_middleware(SecurityHeaders, public_catalogue=settings.public_catalogue)
    install_errors(app)
    for module in (*NOUNS, health, login):  # routes are tried in their order
        app.router.routes += module.router.routes
    declare_headers(app, PROOF.scheme_name)
    if settings.console:
        mount_console(app, services, pages)
    return app


def _measure(app: FastAPI, services: Services, counted: Metrics, clock: Clock) -> None:
    """Count requests, and answer those who scrape."""
    standing = Standing(
        services.storage.database, services.loops, clock, services.settings.robot_active_seconds
    )
    counted.registry.register(standing)
    app.state.metrics = counted
    app.add_middleware(Traffic, metrics=counted)
    app.router.routes += metrics.router.routes
