"""Routes of withdrawals: operators have a robot forgotten, and see what that changed."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from hub.api.deps import Operator, OperatorReads, ServicesDep
from hub.api.errors import refusals
from hub.api.examples import WithdrawalBody
from hub.api.permissions import OWN_LISTED, heeds
from hub.api.routers import noun_router
from skills.messages.lists import Page, WithdrawalQuery
from skills.messages.withdrawals import WithdrawalView

__all__ = ["router"]

router = noun_router("withdrawals")
OURS = heeds(unseen="404", others="404")


@router.post("/robots/{robot_id}/withdrawal", responses=refusals(401, 403, 404, 413), openapi_extra=OURS)
def withdraw_robot(
    robot_id: str, request: WithdrawalBody, services: ServicesDep, operator: Operator
) -> WithdrawalView:
    """Forget a robot and all that it contributed, for good; or, as a dry run, say what that would change.

    Asked again, it is the same withdrawal: so it also tells how far that is, and purges files later.
    """
    return services.withdrawals.registry.withdraw(robot_id, request, operator)


@router.get("/withdrawals", responses=refusals(401, 403), openapi_extra=OWN_LISTED)
def list_withdrawals(
    services: ServicesDep, operator: OperatorReads, query: Annotated[WithdrawalQuery, Query()]
) -> Page[WithdrawalView]:
    """Withdrawals of the organisation's robots, newest first."""
    return services.withdrawals.registry.withdrawals(operator, query)


@router.get("/withdrawals/{withdrawal_id}", responses=refusals(401, 403, 404), openapi_extra=OURS)
def show_withdrawal(withdrawal_id: str, services: ServicesDep, operator: OperatorReads) -> WithdrawalView:
    """How far it is, and what it changed."""
    return services.withdrawals.registry.withdrawal(withdrawal_id, operator)
