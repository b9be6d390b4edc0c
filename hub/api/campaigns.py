"""Routes of campaigns: operators order them, whoever sees the skill looks."""

from __future__ import annotations

from fastapi import APIRouter

from hub.api.deps import AnyLogin, Operator, ServicesDep
from hub.api.doors import OWN, SEEN, SEEN_LISTED
from hub.api.errors import refusals
from hub.api.examples import CampaignBody
from skills.messages import CampaignView

__all__ = ["router"]

router = APIRouter(tags=["campaigns"])


@router.post("/campaigns", status_code=201, responses=refusals(401, 403, 404, 409, 413), openapi_extra=OWN)
def start_campaign(request: CampaignBody, services: ServicesDep, operator: Operator) -> CampaignView:
    """Order rounds for a skill, starting from its stable version."""
    return services.campaigns.start(request, by=operator)


@router.get("/campaigns", responses=refusals(401, 403), openapi_extra=SEEN_LISTED)
def list_campaigns(services: ServicesDep, viewer: AnyLogin) -> list[CampaignView]:
    """All campaigns that one sees, newest first."""
    return list(services.campaigns.campaigns(viewer))


@router.get("/campaigns/{campaign_id}", responses=refusals(401, 403, 404), openapi_extra=SEEN)
def show_campaign(campaign_id: str, services: ServicesDep, viewer: AnyLogin) -> CampaignView:
    """One campaign with its rounds."""
    return services.campaigns.campaign(campaign_id, viewer)


@router.post("/campaigns/{campaign_id}/stop", responses=refusals(401, 403, 404), openapi_extra=OWN)
def stop_campaign(campaign_id: str, services: ServicesDep, operator: Operator) -> CampaignView:
    """End it now; a round that is under way gives no candidate."""
    return services.campaigns.stop(campaign_id, by=operator)
