"""The command line's requests to a gateway: what it sends, and how it puts a problem."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from ops.cli.complaint import Complaint
from ops.cli.gateway_client import GatewayClient


class Gateway(HTTPServer):
    """Answers every request with `status` and `body`; remembers it."""

    status = 200
    body = b"{}"

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []


class Handler(BaseHTTPRequestHandler):
    server: Gateway

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append((self.command, self.path, dict(self.headers), body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.send_header("Idempotent-Replayed", "true")
        self.end_headers()
        self.wfile.write(self.server.body)

    do_GET = do_POST  # noqa: N815 - the base class asks for this name

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def client(gateway) -> GatewayClient:
    return GatewayClient(f"http://127.0.0.1:{gateway.server_port}/base/", "t0ken")


def test_it_sends_json_with_the_token(gateway, client):
    gateway.body = b'{"a": 1}'
    reply = client.expect("POST", "/v1/orders", {"x": "ü"}, {"Idempotency-Key": "k"})
    ((method, path, headers, body),) = gateway.asked
    assert (method, path, json.loads(body)) == ("POST", "/base/v1/orders", {"x": "ü"})
    assert (headers["Authorization"], headers["Idempotency-Key"]) == ("Bearer t0ken", "k")
    assert (reply.status, reply.body, reply.headers["idempotent-replayed"]) == (200, {"a": 1}, "true")


@pytest.mark.parametrize(
    ("status", "body", "what", "fix"),
    [
        (409, {"title": "Sold out", "outcome": "sold-out"}, "409 Sold out", ""),
        (400, {"title": "Not valid", "detail": "$.x: wrong"}, "400 Not valid: $.x: wrong", ""),
        (401, {"title": "Unknown"}, "401 Unknown", "TURNSTILE_DATA_DIR"),
        (403, {"title": "Not allowed"}, "403 Not allowed", "--scope ops"),
        (503, {"title": "Not now"}, "503 Not now", "doctor"),
        (504, {"title": "Outcome unknown"}, "504 Outcome unknown", "repeat"),
        (500, "<html>", "500 <html>", ""),
    ],
)
def test_a_problem_becomes_a_complaint_in_its_own_words(gateway, client, status, body, what, fix):
    gateway.status = status
    gateway.body = (body if isinstance(body, str) else json.dumps(body)).encode()
    with pytest.raises(Complaint) as raised:
        client.expect("GET", "/v1/skus/x")
    assert raised.value.what == what
    assert fix in raised.value.fix
    assert client.call("GET", "/v1/skus/x").status == status


@pytest.mark.parametrize("url", ["", "127.0.0.1:8080", "ftp://x", "http://"])
def test_no_address_is_a_complaint(url):
    with pytest.raises(Complaint, match="no address of a gateway"):
        GatewayClient(url, "t")


EVENTS = b"""\
: ping

event: status
data: {"to": "CREATED"}
id: 1

: ping

event: status
data: {"to": "RESERVED"}
id: 2

"""


def test_a_stream_is_read_and_gone_on_with_until_nothing_comes(gateway, client):
    gateway.body = EVENTS
    seen = []
    for event in client.follow("/v1/orders/x/events"):
        seen.append(event and event["to"])
        if len(seen) == 4:
            gateway.status, gateway.body = 204, b""
    assert seen == [None, "CREATED", None, "RESERVED"]
    assert [headers.get("Last-Event-ID") for _, _, headers, _ in gateway.asked] == [None, "2"]


def test_a_stream_is_asked_for_from_behind_what_was_seen(gateway, client):
    gateway.status, gateway.body = 204, b""
    assert [*client.follow("/v1/orders/x/events", "7")] == []
    assert [headers["Last-Event-ID"] for _, _, headers, _ in gateway.asked] == ["7"]


def test_a_stream_that_is_refused_is_complained_about(gateway, client):
    gateway.status, gateway.body = 404, b'{"title": "No such thing here"}'
    with pytest.raises(Complaint, match="No such thing here"):
        next(client.follow("/v1/orders/x/events"))
