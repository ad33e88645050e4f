"""POST /v1/webhooks/stripe: what the provider tells. A hint only: it is appended, never believed; an agent looks it up.

Whatever is not signed, or is not what Stripe sends, is a 400; what is signed and of no concern to any order of this log
is a 200, so that Stripe does not send it again.
"""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from domain.orders import Hint
from gateway.callers import Desk
from gateway.inbox import Event
from gateway.orders import PROBLEM
from gateway.problems import Problem, ProblemError
from gateway.service import Service
from gateway.waiting import ACK_S_MAX

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])


@router.post("/stripe", responses={400: PROBLEM, 413: PROBLEM, 503: PROBLEM})
async def stripe(request: Request, desk: Desk) -> Response:
    """For Stripe alone: signed events about payments."""
    event = desk.inbox.verify(await request.body(), request.headers.get("stripe-signature"))
    return JSONResponse({"received": True, "result": await _take(desk, event)})


async def _take(desk: Service, event: Event) -> str:
    hint = desk.inbox.hint_of(event)
    if hint is None:
        result = "ignored"
    elif not desk.inbox.is_new(event):
        result = "duplicate"
    else:
        result = "appended"
        try:
            await _append(desk, hint)
        except BaseException:
            desk.inbox.forget(event)
            raise
    desk.metrics.webhook(result)
    return result


async def _append(desk: Service, hint: Hint) -> None:
    """Return once it is in the log; ProblemError (503) otherwise, even if it may get there yet."""
    seat = desk.submit(desk.order_customers, desk.home(hint.order), hint)
    try:
        await desk.patience.acked(seat, ACK_S_MAX)
    except ProblemError as error:
        raise ProblemError(Problem.UNAVAILABLE, "the broker is away") from error
