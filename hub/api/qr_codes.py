"""The route that draws a line as a QR code, such as the one with which a robot joins."""

from __future__ import annotations

from io import BytesIO

import segno
from fastapi import Response

from hub.api.deps import Operator
from hub.api.errors import refusals
from hub.api.examples import QrBody
from hub.api.routers import noun_router

__all__ = ["router"]

KIND = "image/svg+xml"
router = noun_router("robots")


@router.post(
    "/qr-codes",
    response_class=Response,
    responses={200: {"content": {KIND: {}}}, **refusals(401, 403, 413)},
)
def draw_qr_code(request: QrBody, _operator: Operator) -> Response:
    """A picture of a text, as SVG; nothing is kept of it."""
    drawn = BytesIO()
    segno.make(request.text, error="m", micro=False).save(drawn, kind="svg", border=4, light="#fff")
    return Response(drawn.getvalue(), media_type=KIND)
