"""What bad input gets: a problem that names what is wrong, and nothing in the log (docs/api.md)."""

import asyncio
import json
import time

import jwt
import pytest

from domain.ids import parse_order
from domain.orders import Hint
from domain.roles import Role
from streams.kafka_log import KafkaLog
from streams.order_records import BATCHES
from streams.tokens import mint
from tests.integration.till import Till, command_ends, ready
from tests.integration.webhook import event, signature

pytestmark = pytest.mark.integration

GOOD = {"items": [{"sku": "poster", "quantity": 1}]}
ADDRESS = {
    "name": "Ann", "email": "ann@example.org", "line1": "Main Street 1", "postal_code": "1", "city": "Town",
    "country": "DE",
}  # fmt: skip
KEY = {"Idempotency-Key": "k-1"}
ORDER = "00009c65-bcdf-819c-89c1-b5ce819f411c"


@pytest.fixture
async def till(stage):
    """A gateway without any worker: what is appended stays undecided."""
    with stage.gateway("g1") as gateway:
        async with Till(stage, await ready(gateway)) as till:
            yield till


class Unchanged:
    """Around requests that must leave the commands topics as they are."""

    def __init__(self, stage) -> None:
        self.stage = stage

    async def __aenter__(self) -> None:
        async with KafkaLog(self.stage.servers) as log:
            self.before = await command_ends(self.stage, log)

    async def __aexit__(self, kind, *_) -> None:
        if kind is None:
            async with KafkaLog(self.stage.servers) as log:
                assert await command_ends(self.stage, log) == self.before


def line(**changes):
    return {"items": [{**GOOD["items"][0], **changes}]}


BODIES = [
    (b"", "$"),
    (b"{", "$"),
    (b"null", "$"),
    (b"[]", "$"),
    (b"\xff\xfe", "$"),
    (b'{"items":' + b"[" * 5_000, "$.items[0]"),
    (b"[" * 16_000, "$"),
    (b"{}", "$.items"),
    (b'{"items":[]}', "$.items"),
    ({"items": [{"sku": f"s{number}", "quantity": 1} for number in range(21)]}, "$.items"),
    ({"items": [{"sku": "a", "quantity": 65_535}, {"sku": "a", "quantity": 1}]}, "$.items"),
    ({"items": [{"sku": "a", "quantity": 1}, {"sku": "b"}]}, "$.items[1].quantity"),
    ({**GOOD, "partial": "yes"}, "$.partial"),
    ({**GOOD, "payment_method": "pm card"}, "$.payment_method"),
    ({**GOOD, "payment_method": ""}, "$.payment_method"),
    ({**GOOD, "shipping": {"name": "Ann"}}, "$.shipping.email"),
    ({**GOOD, "shipping": {**ADDRESS, "country": "Germany"}}, "$.shipping.country"),
    ({**GOOD, "shipping": {**ADDRESS, "name": "Ann\r\nBcc: all@example.org"}}, "$.shipping.name"),
    (
        {**GOOD, "shipping": {**ADDRESS, **dict.fromkeys(("name", "line1", "line2", "city"), "\u4e2d" * 100)}},
        "$.shipping",
    ),
    ({**GOOD, "currency": "EUR"}, "$.currency"),
    (line(colour="red"), "$.items[0].colour"),
    ({"items": [{"sku": "poster"}]}, "$.items[0].quantity"),
    ({"items": [{"quantity": 1}]}, "$.items[0].sku"),
    (line(quantity=0), "$.items[0].quantity"),
    (line(quantity=-1), "$.items[0].quantity"),
    (line(quantity=65_536), "$.items[0].quantity"),
    (line(quantity=10**30), "$.items[0].quantity"),
    (line(quantity=1.0), "$.items[0].quantity"),
    (line(quantity="1"), "$.items[0].quantity"),
    (line(quantity=True), "$.items[0].quantity"),
    (line(quantity=None), "$.items[0].quantity"),
    (line(sku=""), "$.items[0].sku"),
    (line(sku="a b"), "$.items[0].sku"),
    (line(sku="poster\n"), "$.items[0].sku"),
    (line(sku="ä"), "$.items[0].sku"),
    (line(sku="s" * 65), "$.items[0].sku"),
    (line(sku=7), "$.items[0].sku"),
    (line(max_price=-1), "$.items[0].max_price"),
    (line(max_price=10**16), "$.items[0].max_price"),
]


async def test_an_order_that_is_not_valid_is_refused_with_its_path(till, stage):
    async with Unchanged(stage):
        for body, path in BODIES:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            reply = await till.ask("POST", "/v1/orders", customer="c1", headers=KEY, data=data)
            assert reply.status == 400, (body, reply)
            assert reply.headers["Content-Type"] == "application/problem+json"
            assert reply.body["type"] == "urn:turnstile:problem:invalid-request"
            assert [error["path"] for error in reply.body["errors"]] == [path], (body, reply)
            assert reply.body["errors"][0]["message"]


async def test_the_idempotency_key_is_required_and_checked(till, stage):
    async with Unchanged(stage):
        for headers in ({}, *({"Idempotency-Key": key} for key in ("", "a b", "k" * 65, "ä", "a,b", "../x"))):
            reply = await till.ask("POST", "/v1/orders", customer="c1", headers=headers, json=GOOD)
            assert reply.status == 400, headers
            assert [error["path"] for error in reply.body["errors"]] == ["Idempotency-Key"]


NEW = {
    "sku": "poster",
    "price": 1,
    "currency": "EUR",
    "units": 1,
    "limit_per_customer": 1,
    "hold_seconds": 1,
}
OPS_BODIES = [
    ("POST", "/v1/skus", {**NEW, "price": -1}, "$.price"),
    ("POST", "/v1/skus", {**NEW, "price": 1.5}, "$.price"),
    ("POST", "/v1/skus", {**NEW, "price": "1"}, "$.price"),
    ("POST", "/v1/skus", {**NEW, "currency": "eur"}, "$.currency"),
    ("POST", "/v1/skus", {**NEW, "currency": "EUR\n"}, "$.currency"),
    ("POST", "/v1/skus", {**NEW, "sku": "a/b"}, "$.sku"),
    ("POST", "/v1/skus", {**NEW, "sku": "a\n"}, "$.sku"),
    ("POST", "/v1/skus", {**NEW, "units": -1}, "$.units"),
    ("POST", "/v1/skus", {**NEW, "hold_seconds": 901}, "$.hold_seconds"),
    ("POST", "/v1/skus", {**NEW, "limit_per_customer": 0}, "$.limit_per_customer"),
    ("POST", "/v1/skus", {**NEW, "colour": "red"}, "$.colour"),
    ("POST", "/v1/skus", {key: NEW[key] for key in NEW if key != "units"}, "$.units"),
    ("POST", "/v1/skus", "no object", "$"),
    ("PATCH", "/v1/skus/poster", {"price": True}, "$.price"),
    ("PATCH", "/v1/skus/poster", {"version": 0}, "$.version"),
    ("PATCH", "/v1/skus/po%20ster", {"price": 1}, "sku"),
    ("POST", "/v1/skus/poster/adjustments", {"delta": 0, "reason": "", "reference": "r"}, "$.delta"),
    ("POST", "/v1/skus/poster/adjustments", {"delta": 1, "reason": "", "reference": ""}, "$.reference"),
    ("POST", "/v1/skus/poster/adjustments", {"delta": 1, "reason": "x" * 257, "reference": "r"}, "$.reason"),
    ("POST", "/v1/skus/" + "s" * 65 + "/open", None, "sku"),
]


WISHES = [
    ("payment", {}, KEY, "$.payment_method"),
    ("payment", {"payment_method": "x" * 65}, KEY, "$.payment_method"),
    ("payment", {"payment_method": "pm_1", "amount": 1}, KEY, "$.amount"),
    ("cancel", None, {"Idempotency-Key": "a b"}, "Idempotency-Key"),
    ("ship", {"line": 1}, KEY, "$"),
    ("ship", {"line": 1, "quantity": 0}, KEY, "$.quantity"),
    ("ship", {"line": 21, "quantity": 1}, KEY, "$.line"),
    ("deliver", {"quantity": 1}, KEY, "$"),
    ("deliver", [], KEY, "$"),
    ("return", {"line": 1, "quantity": 1}, KEY, "$.restock"),
    ("return", {"restock": True}, {}, "Idempotency-Key"),
    ("return", {"restock": True}, {"Idempotency-Key": "k" * 65}, "Idempotency-Key"),
    ("refund", {"amount": 0, "reason": "x"}, KEY, "$.amount"),
    ("refund", {"amount": 1.5, "reason": "x"}, KEY, "$.amount"),
    ("refund", {"amount": 1, "reason": "x" * 65}, KEY, "$.reason"),
    ("refund", {"amount": 1, "reason": "x"}, {}, "Idempotency-Key"),
    ("settle", {"outcome": "paid", "reference": "pi_1"}, KEY, "$.outcome"),
    ("settle", {"outcome": "voided", "reference": ""}, KEY, "$.reference"),
]


async def test_what_is_wished_for_an_order_is_checked_before_anything_is_appended(till, stage):
    async with Unchanged(stage):
        for step, body, headers, place in WISHES:
            path, options = f"/v1/orders/{ORDER}/{step}", {} if body is None else {"json": body}
            reply = await till.ask("POST", path, customer="o", scopes=("ops",), headers=headers, **options)
            assert reply.status == 400, (step, body, reply)
            assert [error["path"] for error in reply.body["errors"]] == [place], (step, body, reply)
        for query, place in (
            ("", "customer"),
            ("?customer=me&limit=0", "limit"),
            ("?customer=me&limit=101", "limit"),
            ("?customer=me&cursor=nonsense", "cursor"),
        ):
            reply = await till.ask("GET", f"/v1/orders{query}", customer="c1")
            assert (reply.status, reply.body["errors"][0]["path"]) == (400, place), (query, reply)


async def test_what_operators_send_is_checked_as_well(till, stage):
    async with Unchanged(stage):
        for method, path, body, place in OPS_BODIES:
            reply = await till.ops(method, path, body)
            assert reply.status == 400, (path, body, reply)
            assert reply.headers["Content-Type"] == "application/problem+json"
            assert [error["path"] for error in reply.body["errors"]] == [place], (path, body, reply)
        for body in (b"", b"{", b"[" * 16_000, b"\xff"):
            reply = await till.ask("POST", "/v1/skus", customer="o", scopes=("ops",), data=body)
            assert reply.status == 400, (body, reply)


def tokens(stage):
    key, other = stage.keys.token, bytes(32)
    claims = {"sub": "c1", "aud": "turnstile", "exp": int(time.time()) + 60}
    return {
        "none at all": None,
        "not bearer": "Basic YTpi",
        "empty": "Bearer ",
        "no token": "Bearer nonsense",
        "forged": f"Bearer {mint(other, 'c1')}",
        "expired": f"Bearer {mint(key, 'c1', lifetime_s=-1)}",
        "another audience": f"Bearer {jwt.encode({**claims, 'aud': 'else'}, key, 'HS256')}",
        "no audience": f"Bearer {jwt.encode({k: claims[k] for k in ('sub', 'exp')}, key, 'HS256')}",
        "no subject": f"Bearer {jwt.encode({k: claims[k] for k in ('aud', 'exp')}, key, 'HS256')}",
        "no expiry": f"Bearer {jwt.encode({k: claims[k] for k in ('aud', 'sub')}, key, 'HS256')}",
        "unsigned": f"Bearer {jwt.encode(claims, None, 'none')}",
        "another algorithm": f"Bearer {jwt.encode(claims, key * 2, 'HS512')}",
        "too long": f"Bearer {'x' * 5_000}",
    }


ROUTES = [
    ("POST", "/v1/orders"),
    ("GET", f"/v1/orders/{ORDER}"),
    ("GET", f"/v1/orders/{ORDER}/events"),
    ("GET", "/v1/orders?customer=me"),
    ("POST", f"/v1/orders/{ORDER}/payment"),
    ("POST", f"/v1/orders/{ORDER}/cancel"),
    ("POST", f"/v1/orders/{ORDER}/ship"),
    ("POST", f"/v1/orders/{ORDER}/deliver"),
    ("POST", f"/v1/orders/{ORDER}/return"),
    ("POST", f"/v1/orders/{ORDER}/refund"),
    ("POST", f"/v1/orders/{ORDER}/settle"),
    ("GET", "/v1/skus/poster"),
    ("POST", "/v1/skus"),
    ("PATCH", "/v1/skus/poster"),
    ("POST", "/v1/skus/poster/adjustments"),
    ("POST", "/v1/skus/poster/open"),
    ("POST", "/v1/skus/poster/close"),
]
OPS_STEPS = ("ship", "deliver", "return", "refund", "settle")
OPS_ROUTES = [
    (method, path) for method, path in ROUTES if path.endswith(OPS_STEPS) or ("skus" in path and method != "GET")
]


async def test_without_a_token_that_counts_every_route_is_closed(till, stage):
    async with Unchanged(stage):
        for method, path in ROUTES:
            for name, authorization in tokens(stage).items():
                headers = KEY | ({"Authorization": authorization} if authorization else {})
                reply = await till.ask(method, path, headers=headers, json=GOOD)
                assert reply.status == 401, (method, path, name, reply)
                assert reply.headers["WWW-Authenticate"].startswith("Bearer")
                assert reply.body["type"] == "urn:turnstile:problem:unauthorized"


async def test_operators_routes_need_the_scope(till, stage):
    async with Unchanged(stage):
        for method, path in OPS_ROUTES:
            for scopes in ((), ("opsy",), ("read", "OPS")):
                reply = await till.ask(method, path, customer="c1", scopes=scopes, headers=KEY, json=NEW)
                assert reply.status == 403, (method, path, reply)
                assert 'error="insufficient_scope"' in reply.headers["WWW-Authenticate"]


ALLOWED = {"/v1/orders": "GET, POST", "/v1/webhooks/stripe": "POST", "/v1/skus/poster": "GET, PATCH"}


async def test_what_is_not_there_is_a_problem_too(till, stage):
    async with Unchanged(stage):
        for method, path, status in (
            ("GET", "/v1/nothing", 404),
            ("DELETE", "/v1/orders", 405),
            ("GET", "/v1/webhooks/stripe", 405),
            ("GET", f"/v1/orders/{ORDER}/events", 404),
            ("POST", f"/v1/orders/{ORDER}/commit", 404),
            ("DELETE", "/v1/skus/poster", 405),
            ("GET", "/v1/orders/nonsense", 404),
            ("GET", f"/v1/orders/{ORDER.upper()}", 404),
            ("POST", "/v1/orders/ffff9c65-bcdf-819c-89c1-b5ce819f411c/cancel", 404),
            ("GET", f"/v1/orders/{ORDER}", 404),
            ("GET", "/v1/skus/no-such", 404),
        ):
            reply = await till.ask(method, path, customer="c1")
            assert reply.status == status, (method, path, reply)
            assert reply.headers["Content-Type"] == "application/problem+json"
            assert reply.headers.get("Allow") == ALLOWED.get(path), (method, path, reply)


async def raw(address: str, request: bytes) -> tuple[bytes, float]:
    """Send bytes as they are; all that comes back until the gateway closes the connection, and how long that took."""
    host, port = address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    begun = time.monotonic()
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answer, time.monotonic() - begun


async def test_a_body_too_large_is_cut_off(till, stage):
    token = mint(stage.keys.token, "c1")
    head = f"POST /v1/orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: k\r\n"
    announced = head + "Content-Length: 16385\r\n\r\n"
    chunk = "2000\r\n" + " " * 0x2000 + "\r\n"
    chunked = head + "Transfer-Encoding: chunked\r\n\r\n" + chunk * 3
    async with Unchanged(stage):
        for request in (announced, chunked):
            answer, took_s = await raw(till.address, request.encode())
            assert answer.startswith(b"HTTP/1.1 413 ")
            assert b"urn:turnstile:problem:too-large" in answer
            assert took_s < 3
        padded = b" " * (16_384 - len(json.dumps(GOOD))) + json.dumps(GOOD).encode()
        reply = await till.ask("POST", "/v1/skus/poster/adjustments", customer="c", data=padded + b" ")
        assert reply.status == 413
    reply = await till.ask("POST", "/v1/orders", customer="c1", headers=KEY, data=padded)
    assert reply.status == 202  # 16 KiB exactly are fine


async def test_a_body_too_slow_is_cut_off(till, stage):
    token = mint(stage.keys.token, "c1")
    head = f"POST /v1/orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: k\r\n"
    async with Unchanged(stage):
        answer, took_s = await raw(till.address, (head + 'Content-Length: 60\r\n\r\n{"items":').encode())
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"connection: close" in answer.lower()
        assert 4.5 < took_s < 8


async def test_a_client_that_leaves_in_the_middle_leaves_nothing(till, stage):
    token = mint(stage.keys.token, "c1")
    head = f"POST /v1/orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: k\r\n"
    async with Unchanged(stage):
        host, port = till.address.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write((head + 'Content-Length: 60\r\n\r\n{"items":').encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        assert (await till.ask("GET", "/livez")).status == 200


async def test_only_signed_news_of_an_order_of_ours_is_appended_and_that_once(stage, log):
    hook = "/v1/webhooks/stripe"
    with stage.gateway("g1", webhook_secrets="whsec_old,whsec_new") as gateway:
        async with Till(stage, await ready(gateway)) as till:

            async def post(body, headers):
                return await till.ask("POST", hook, headers=headers, data=body)

            good, foreign = event(stage, ORDER), event(stage, ORDER, metadata={"environment": "another"})
            async with Unchanged(stage):
                for body, headers in (
                    (good, {}),
                    (good, signature(good, "whsec_other")),
                    (good, signature(good + b" ")),
                    (b"\xff\xfe", signature(b"\xff\xfe")),
                    (b"{}", signature(b"{}")),
                    (b"", signature(b"")),
                ):
                    assert (await post(body, headers)).status == 400, body
                large = b" " * (65_537 - len(good)) + good
                assert (await post(large, signature(large))).status == 413
                reply = await post(foreign, signature(foreign))
                assert (reply.status, reply.body["result"]) == (200, "ignored")
            before = await command_ends(stage, log)
            for secret, result in (("whsec_old", "appended"), ("whsec_new", "duplicate"), ("whsec_new", "duplicate")):
                reply = await post(good, signature(good, secret))
                assert (reply.status, reply.body["result"]) == (200, result)
            second = b" " * (65_536 - len(event(stage, ORDER, id="evt_2"))) + event(stage, ORDER, id="evt_2")
            assert (await post(second, signature(second))).status == 200
            assert sum(await command_ends(stage, log)) == sum(before) + 2
            (record,) = [one async for one in log.read(stage.topics.order_commands.name, 0, before[stage.partitions])][
                :1
            ]
            batch = BATCHES.decode(record.value)
            assert batch.role is Role.GATEWAY
            assert batch.commands() == [Hint(parse_order(ORDER), 1, "pi_1", "evt_1", "payment_intent.succeeded")]


async def test_without_secrets_no_webhook_is_taken(till, stage):
    async with Unchanged(stage):
        reply = await till.ask("POST", "/v1/webhooks/stripe", headers=signature(b"{}"), data=b"{}")
        assert reply.status == 503


async def test_who_asks_too_often_waits_and_others_do_not(stage):
    with stage.gateway("g1", rate_per_s=1, rate_burst=5) as gateway:
        async with Till(stage, await ready(gateway)) as till:
            for _ in range(5):
                assert (await till.buy("greedy", "k", "poster", wait=0)).status == 202
            async with Unchanged(stage):
                reply = await till.buy("greedy", "k", "poster", wait=0)
                assert reply.status == 429
                assert reply.body["type"] == "urn:turnstile:problem:too-many-requests"
                assert 1 <= int(reply.headers["Retry-After"]) <= 5
                assert (await till.ask("GET", "/v1/skus/poster", customer="greedy")).status == 429
            assert (await till.buy("modest", "k", "poster", wait=0)).status == 202


async def test_a_full_queue_answers_unavailable_and_appends_nothing_more(stage):
    """Pacing of a minute keeps the second batch in the queue."""
    with stage.gateway("g1", queue_max=3, batch_pace_ms=60_000) as gateway:
        async with Till(stage, await ready(gateway)) as till:
            waiting = [asyncio.create_task(till.buy(f"c{number}", "k", "poster", wait=0)) for number in range(3)]
            async with asyncio.timeout(4):
                while (await till.ask("GET", "/readyz")).status != 200 or not await queued(till, 3):
                    await asyncio.sleep(0.02)
            async with Unchanged(stage):
                reply = await till.buy("late", "k", "poster", wait=0)
                assert reply.status == 503
                assert "3 commands wait for partition" in reply.body["detail"]
                assert reply.headers["Retry-After"]
                replies = await asyncio.gather(*waiting)  # given up after 5 s, without ever having been sent
                assert {reply.status for reply in replies} == {503}
                assert all("nothing was appended" in reply.body["detail"] for reply in replies)


async def queued(till, commands: int) -> bool:
    text = (await till.ask("GET", "/metrics")).raw.decode()
    values = [float(line.split()[-1]) for line in text.splitlines() if line.startswith("turnstile_queue_commands{")]
    return sum(values) == commands
