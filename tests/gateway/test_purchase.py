"""The purchase, spoken to in ASGI, of a gateway that is not connected."""

import json

import pytest

from gateway.app import build_app
from gateway.openapi import PURCHASE
from gateway.service import Service
from settings import GatewaySettings
from streams import keys
from streams.identity import Identity
from streams.topics import named


@pytest.fixture
async def service(tmp_path):
    secrets = keys.ensure(tmp_path)
    settings = GatewaySettings(data_dir=tmp_path, gateway="alone")
    topics = named(settings.namespace)
    service = Service(settings, "localhost:1", topics, Identity(bytes(16), 4), secrets, keys.load_address(tmp_path))
    yield service
    service.close()


async def test_a_bug_is_told_as_a_problem_and_raised_again(service, monkeypatch):
    def broken(_):
        raise RuntimeError

    monkeypatch.setattr(service.auth, "identify", broken)
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": PURCHASE, "headers": [], "query_string": b"", "server": ("x", 1)}
    with pytest.raises(RuntimeError):
        await build_app(service)(scope, receive, send)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[0]["status"] == 500
    assert json.loads(sent[1]["body"])["type"] == "urn:turnstile:problem:bug"
    assert b'turnstile_http_requests_total{route="/v1/orders",status="500"} 1.0' in service.metrics.render()
