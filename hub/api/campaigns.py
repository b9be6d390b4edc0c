"""Routes of campaigns: operators order them, everybody who is logged in looks."""

from __future__ import annotations

from fastapi import APIRouter

from hub.api.deps import AnyLogin, Operator, ServicesDep
from hub.api.errors import refusals
from hub.api.examples import CampaignBody
from skills.messages import CampaignView

__all__ = ["router"]

router = APIRouter(tags=["campaigns"])


@router.post("/campaigns", status_code=201, responses=refusals(401, 403, 404, 409, 413))
def start_campaign(request: CampaignBody, services: ServicesDep, operator: Operator) -> CampaignView:
    """Order rounds for a skill, starting from its stable version."""
    return services.campaigns.start(request, by=operator.actor)


@router.get("/campaigns", responses=refusals(401))
def list_campaigns(services: ServicesDep, _: AnyLogin) -> list[CampaignView]:
    """All campaigns, newest first."""
    return list(services.campaigns.campaigns())


@router.get("/campaigns/{campaign_id}", responses=refusals(401, 404))
def show_campaign(campaign_id: str, services: ServicesDep, _: AnyLogin) -> CampaignView:
    """One campaign with its rounds."""
    return services.campaigns.campaign(campaign_id)


@router.post("/campaigns/{campaign_id}/stop", responses=refusals(401, 403, 404))
def stop_campaign(campaign_id: str, services: ServicesDep, operator: Operator) -> CampaignView:
    """End it now; a round that is under way gives no candidate."""
    return services.campaigns.stop(campaign_id, by=operator.actor)
