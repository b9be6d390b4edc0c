"""Routes of campaigns: operators order them, whoever sees the skill looks."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from hub.api.deps import AnyLogin, Operator, OperatorReads, ServicesDep
from hub.api.errors import refusals
from hub.api.examples import CampaignBody
from hub.api.permissions import OWN, SEEN, SEEN_LISTED
from hub.api.routers import noun_router
from skills.messages.campaigns import CampaignPlan, CampaignView
from skills.messages.costs import Cost
from skills.messages.lists import AtWorkQuery, CampaignQuery, Page, RoundQuery
from skills.messages.rounds import RobotAtWork, RoundView

__all__ = ["router"]

router = noun_router("campaigns")


@router.post("/campaigns", status_code=201, responses=refusals(401, 403, 404, 409, 413), openapi_extra=OWN)
def start_campaign(request: CampaignBody, services: ServicesDep, operator: Operator) -> CampaignView:
    """Order rounds for a skill, starting from its stable version."""
    return services.rounds.campaigns.start(request, by=operator)


@router.get("/skills/{name}/advice", responses=refusals(401, 403, 404), openapi_extra=OWN)
def show_advice(name: str, services: ServicesDep, operator: OperatorReads) -> CampaignPlan:
    """What the skill's task advises whoever orders a campaign, to begin an order with: hubs add nothing."""
    return services.rounds.campaigns.advice(name, by=operator)


@router.get("/skills/{name}/cost", responses=refusals(401, 403, 404), openapi_extra=SEEN)
def show_cost(name: str, services: ServicesDep, viewer: AnyLogin) -> Cost:
    """What all rounds of the skill's campaigns took; docs/costs.md says what of it is an estimate."""
    return services.rounds.campaigns.cost(name, viewer)


@router.get("/campaigns", responses=refusals(401, 403), openapi_extra=SEEN_LISTED)
def list_campaigns(
    services: ServicesDep, viewer: AnyLogin, query: Annotated[CampaignQuery, Query()]
) -> Page[CampaignView]:
    """Campaigns that one sees, newest first, each with its last round."""
    return services.rounds.campaigns.campaigns(viewer, query)


@router.get("/campaigns/{campaign_id}", responses=refusals(401, 403, 404), openapi_extra=SEEN)
def show_campaign(campaign_id: str, services: ServicesDep, viewer: AnyLogin) -> CampaignView:
    """One campaign with its newest rounds, at most 100."""
    return services.rounds.campaigns.campaign(campaign_id, viewer)


@router.get("/campaigns/{campaign_id}/rounds", responses=refusals(401, 403, 404), openapi_extra=SEEN)
def list_rounds(
    campaign_id: str, services: ServicesDep, viewer: AnyLogin, query: Annotated[RoundQuery, Query()]
) -> Page[RoundView]:
    """Rounds of a campaign, newest first."""
    return services.rounds.campaigns.rounds(campaign_id, viewer, query)


@router.get("/campaigns/{campaign_id}/robots", responses=refusals(401, 403, 404), openapi_extra=SEEN)
def list_robots_at_work(
    campaign_id: str, services: ServicesDep, viewer: OperatorReads, query: Annotated[AtWorkQuery, Query()]
) -> Page[RobotAtWork]:
    """Robots of one's organisation in the newest round or an older one: at work, or what each brought."""
    return services.rounds.campaigns.robots(campaign_id, viewer, query)


@router.post("/campaigns/{campaign_id}/stop", responses=refusals(401, 403, 404), openapi_extra=OWN)
def stop_campaign(campaign_id: str, services: ServicesDep, operator: Operator) -> CampaignView:
    """End it now; a round that is under way gives no candidate."""
    return services.rounds.campaigns.stop(campaign_id, by=operator)
