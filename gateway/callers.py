"""Who calls a FastAPI route, as a dependency; the bearer scheme is then in OpenAPI too."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from gateway.auth import Identity
from gateway.service import Service

_BEARER = HTTPBearer(auto_error=False, description="A JWT: sub = customer, aud = turnstile, exp, and scope if any")


def service_of(request: Request) -> Service:
    """The gateway that this app serves."""
    service: Service = request.app.state.service
    return service


async def _caller(request: Request, _: Annotated[object, Depends(_BEARER)]) -> Identity:
    service = service_of(request)
    identity = service.auth.identify(request.headers.get("authorization"))
    service.check_rate(identity.name)
    return identity


async def _operator(request: Request, _: Annotated[object, Depends(_BEARER)]) -> Identity:
    service = service_of(request)
    identity = service.auth.identify_ops(request.headers.get("authorization"))
    service.check_rate(identity.name)
    return identity


async def _service(request: Request) -> Service:
    return service_of(request)


Caller = Annotated[Identity, Depends(_caller)]
"""Anybody with a token; 401 otherwise."""
Operator = Annotated[Identity, Depends(_operator)]
"""Scope ops; 401 or 403 otherwise."""
Desk = Annotated[Service, Depends(_service)]
