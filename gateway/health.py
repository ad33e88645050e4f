"""For whoever runs a gateway: does it live, may it get requests, what does it count."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from gateway.callers import Desk
from streams.metrics import CONTENT_TYPE

router = APIRouter(tags=["health"])


@router.get("/livez")
async def livez() -> dict[str, str]:
    """The process serves."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"description": "Not now, and why"}})
async def readyz(desk: Desk) -> Response:
    """Whether requests would be taken: own writes were acked, the view has caught up, the broker answers."""
    checks = {
        "probed": desk.logtime.known(),
        "caught_up": desk.ready.is_set(),
        "broker": not desk.is_away(),
        "accepting": not desk.draining,
    }
    is_ready = all(checks.values())
    return JSONResponse({"status": "ready" if is_ready else "not ready", **checks}, 200 if is_ready else 503)


@router.get("/metrics", include_in_schema=False)
async def metrics(desk: Desk) -> Response:
    """Prometheus' text format."""
    return Response(desk.metrics.render(), media_type=CONTENT_TYPE)
