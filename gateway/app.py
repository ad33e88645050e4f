"""The ASGI application of a gateway."""

from collections.abc import Awaitable

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway import fulfilment, health, inbox, order_stream, orders, skus, webhooks
from gateway.edge import CORRELATION, Edge
from gateway.openapi import PURCHASE, document
from gateway.parsing import invalid_request
from gateway.problems import InvalidRequestError, Problem, ProblemError, respond
from gateway.purchase import HandleBug, Purchase
from gateway.service import Service
from streams.actions import Action

_DESCRIPTION = "Decides, in order and without locks, who gets the last unit."
_NO_METHOD = 405
_NOT_FOUND = 404


class _App(FastAPI):
    """With the purchase route in its document."""

    def openapi(self) -> dict[str, object]:
        if self.openapi_schema is None:
            self.openapi_schema = document(self)
        return self.openapi_schema


class _Front:
    """Lets the purchase pass by FastAPI's middleware, which costs as much again as the purchase.

    Its route stands in FastAPI's router all the same: other methods get their 405 there.
    """

    def __init__(self, app: FastAPI, purchase: Route) -> None:
        self.app = app
        self._route = purchase
        app.router.routes.append(purchase)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["path"] == PURCHASE and scope["method"] == "POST":
            scope["route"] = self._route
            return self._route.app(scope, receive, send)
        return self.app(scope, receive, send)


def build_app(service: Service) -> ASGIApp:
    """Everything behind one port. The documentation pages of FastAPI are off: they load scripts from elsewhere."""
    app = _App(title="turnstile", version="1", description=_DESCRIPTION, docs_url=None, redoc_url=None)
    app.state.service = service
    handle_bug = _on_bug(service)
    front = _Front(app, Route(PURCHASE, Purchase(service, handle_bug), methods=["POST"]))
    for module in (orders, order_stream, fulfilment, skus, webhooks, health):
        app.include_router(module.router)
    app.add_exception_handler(ProblemError, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, handle_bug)

    def observe(scope: Scope, status: int, seconds: float) -> None:
        service.metrics.answered(getattr(scope.get("route"), "path", "unmatched"), status, seconds)

    return Edge(front, observe, {inbox.PATH: inbox.BODY_BYTES_MAX})


async def _on_problem(_: Request, error: Exception) -> Response:
    return respond(error) if isinstance(error, ProblemError) else respond(ProblemError(Problem.BUG))


async def _on_invalid(_: Request, error: Exception) -> Response:
    errors = error.errors() if isinstance(error, RequestValidationError) else []
    return respond(invalid_request(errors))


async def _on_http(_: Request, error: Exception) -> Response:
    """What routing refuses, and a body that cannot even be parsed."""
    if not isinstance(error, HTTPException):
        return respond(ProblemError(Problem.BUG))
    headers = dict(error.headers) if error.headers else None
    if error.status_code == _NOT_FOUND:
        return respond(ProblemError(Problem.NOT_FOUND, headers=headers))
    if error.status_code == _NO_METHOD:
        return respond(ProblemError(Problem.NO_METHOD, headers=headers))
    return respond(InvalidRequestError(("$", str(error.detail))))


def _on_bug(service: Service) -> HandleBug:
    async def handle(request: Request, error: Exception) -> Response:
        correlation = request.scope[CORRELATION].decode()
        service.log(
            Action.REQUEST_FAILED, error=error, route=request.url.path, reason=repr(error), correlation=correlation
        )
        return respond(ProblemError(Problem.BUG))

    return handle
