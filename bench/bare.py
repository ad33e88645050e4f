"""`python -m bench.bare`: what a gateway would cost that does nothing.

The server of the gateways, with its settings and its garbage collector, around one route that takes the body and
answers 202 with as many bytes of JSON as an order gets: a route of FastAPI, as all of the gateway's but the purchase
(`fastapi`), or one of Starlette alone (`starlette`). Takes its kind, prints its address.
"""

import asyncio
import sys

import uvloop
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from gateway.openapi import PURCHASE
from gateway.server import Server
from ops.roster import HOST
from streams import collector

ACCEPTED = 202
BODY = b'{"order_id":"00000000-0000-8000-8000-000000000000","status":"CREATED"}'
KINDS = ("fastapi", "starlette")


def app(kind: str) -> ASGIApp:
    """With the purchase's path and method."""
    return _fastapi() if kind == KINDS[0] else Starlette(routes=[Route(PURCHASE, _accept, methods=["POST"])])


def _fastapi() -> FastAPI:
    here = FastAPI(docs_url=None, redoc_url=None)
    here.post(PURCHASE)(_accept)
    return here


async def _accept(request: Request) -> Response:
    await request.body()
    return Response(BODY, ACCEPTED, media_type="application/json")


async def serve(kind: str) -> None:
    """Until SIGTERM."""
    server = Server(app(kind), HOST, 0, lambda: None)
    collector.begin()
    serving = asyncio.create_task(server.serve())
    collecting = asyncio.create_task(collector.run(lambda _: None))
    await server.listening.wait()
    print(server.address(), flush=True)
    await serving
    collecting.cancel()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1]))
