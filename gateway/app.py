"""The ASGI application of a gateway."""

from functools import partial

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from gateway import fulfilment, health, inbox, order_stream, orders, skus, webhooks
from gateway.callers import service_of
from gateway.edge import CORRELATION, Edge
from gateway.openapi import PURCHASE, document
from gateway.parsing import invalid_request
from gateway.problems import InvalidRequestError, Problem, ProblemError, respond
from gateway.purchase import Purchase
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


def build_app(service: Service) -> Edge:
    """Everything behind one port. The documentation pages of FastAPI are off: they load scripts from elsewhere.

    The purchase passes by FastAPI. Its route stands there all the same, for other methods to get their 405.
    """
    app = _App(title="turnstile", version="1", description=_DESCRIPTION, docs_url=None, redoc_url=None)
    app.state.service = service
    purchase = Purchase(service, partial(_on_bug, service))
    routers = [module.router for module in (orders, order_stream, fulfilment, skus, webhooks, health)]
    app.router.routes.append(Route(PURCHASE, purchase, methods=["POST"]))
    for router in routers:
        app.include_router(router)
    app.state.routes = [*app.router.routes, *(route for router in routers for route in router.routes)]
    app.add_exception_handler(ProblemError, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_exception)
    return Edge(app, service.metrics.answered, {inbox.PATH: inbox.BODY_BYTES_MAX}, {("POST", PURCHASE): purchase})


async def _on_problem(_: Request, error: Exception) -> Response:
    return respond(error) if isinstance(error, ProblemError) else respond(ProblemError(Problem.BUG))


async def _on_invalid(_: Request, error: Exception) -> Response:
    errors = error.errors() if isinstance(error, RequestValidationError) else []
    return respond(invalid_request(errors))


async def _on_http(request: Request, error: Exception) -> Response:
    """What routing refuses, and a body that cannot even be parsed."""
    if not isinstance(error, HTTPException):
        return respond(ProblemError(Problem.BUG))
    if error.status_code == _NOT_FOUND:
        return respond(ProblemError(Problem.NOT_FOUND))
    if error.status_code == _NO_METHOD:
        return respond(ProblemError(Problem.NO_METHOD, headers={"Allow": ", ".join(sorted(_methods(request)))}))
    return respond(InvalidRequestError(("$", str(error.detail))))


def _methods(request: Request) -> set[str]:
    """Of all routes of this path: the router names those of the first one only."""
    routes = [route for route in request.app.state.routes if isinstance(route, Route)]
    return {
        method
        for route in routes
        if route.matches(request.scope)[0] is not Match.NONE
        for method in route.methods or ()
    }


async def _on_exception(request: Request, error: Exception) -> Response:
    return _on_bug(service_of(request), request.scope, error)


def _on_bug(service: Service, scope: Scope, error: Exception) -> Response:
    correlation = scope[CORRELATION].decode()
    service.log(Action.REQUEST_FAILED, error=error, route=scope["path"], reason=repr(error), correlation=correlation)
    return respond(ProblemError(Problem.BUG))
