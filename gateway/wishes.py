"""What customers and operators wish for an order that is there: appended to its partition, answered by its decision."""

import hashlib

from starlette.responses import JSONResponse, Response

from domain.ids import order_text, parse_order
from domain.orders import Cancel, Deliver, Method, Refund, Settle, Ship, TakeBack
from domain.outcomes import Outcome
from gateway.auth import Identity
from gateway.problems import Problem, ProblemError, respond_decided
from gateway.service import Service
from gateway.waiting import appended_header
from streams.batcher import Batcher
from streams.order_records import OrderCommand

KEY_BYTES = 8
NO_ORDER = "no such order, or none of yours"

Wish = Cancel | Method | Ship | Deliver | TakeBack | Refund | Settle


def order_of(text: str, desk: Service) -> bytes:
    """The id in a path; ProblemError (404) if there can be no such order."""
    try:
        order = parse_order(text)
    except ValueError:
        raise ProblemError(Problem.NOT_FOUND, NO_ORDER) from None
    desk.home(order)
    return order


def wish_key(desk: Service, order: bytes, route: str, key: str) -> bytes:
    """What names one wish: equal for its repeats at every gateway, and for nothing else."""
    content = b"\0".join((order, route.encode(), key.encode()))
    return hashlib.blake2b(content, digest_size=KEY_BYTES, key=desk.keys.customer).digest()


async def carry_out_for(desk: Service, caller: Identity, wish: Cancel | Method) -> Response:
    """As an operator for anybody's order, as a customer for an own one; then as `carry_out`."""
    if caller.is_ops:
        return await carry_out(desk, desk.order_operators, wish._replace(customer=b""))
    await _check_owner(desk, wish.order, caller)
    return await carry_out(desk, desk.order_customers, wish)


async def _check_owner(desk: Service, order: bytes, caller: Identity) -> None:
    """ProblemError (404) if the order is known to be somebody else's. If nobody here knows, its owner will tell."""
    known = desk.view.find(order)
    customer = None if known is None else known.customer.hex()
    if customer is None:
        try:
            now = await desk.lookup.find(order)
        except ProblemError:  # SQL does not answer, which is no reason to refuse a cancel
            return
        customer = None if now is None else now.customer
    if customer is not None and customer != caller.customer.hex():
        raise ProblemError(Problem.NOT_FOUND, NO_ORDER)


async def carry_out(desk: Service, batcher: Batcher[OrderCommand], command: Wish) -> Response:
    """Send the wish to the order's home partition and answer with its decision; 202 if that takes too long."""
    home, text = desk.home(command.order), order_text(command.order)
    seat, answer = await desk.decide(batcher, home, command)
    headers = appended_header(seat) | {"Location": f"/v1/orders/{text}"}
    if answer is None:
        return JSONResponse({"order_id": text, "outcome": "pending"}, 202, headers)
    if answer.repeated:
        headers["Idempotent-Replayed"] = "true"
    if answer.outcome not in {Outcome.ACCEPTED, Outcome.UNCHANGED}:
        return respond_decided(answer.outcome, {"order_id": text}, headers)
    body: dict[str, str | bool] = {"order_id": text, "outcome": Outcome(answer.outcome).label}
    now = desk.tail.find(home, text)
    if now is not None:
        body |= {"status": now.state, "compensating": now.compensating}
    return JSONResponse(body, 200, headers)
