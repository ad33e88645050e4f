"""The stand-in over HTTP: faults of the connection, webhooks, and what the operator asks of it."""

import asyncio
import json
import time

import pytest
import stripe
from aiohttp import web

from adapters.stand_in.mail import Delivery
from tests.adapters.stand_in.process import StandInProcess
from tests.contract.payments_suite import CHALLENGE, keyed, wish

pytestmark = pytest.mark.slow

SECRET = "whsec_http"
DEADLINE_S = 30


@pytest.fixture
async def hooks():
    """An endpoint for webhooks: its address, and what came."""
    came = asyncio.Queue()

    async def take(request):
        await came.put((await request.read(), request.headers["Stripe-Signature"]))
        return web.Response()

    app = web.Application()
    app.add_routes([web.post("/hook", take)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook", came
    await runner.cleanup()


@pytest.fixture
async def started(tmp_path):
    """Start a stand-in that behaves so; the process and a client of it."""
    begun = []

    async def start(behaviour="reads_per_s=0&writes_per_s=0", timeout_s=30.0, **settings):
        process = StandInProcess(tmp_path, behaviour, **settings)
        await asyncio.to_thread(process.start)
        client = stripe.AIOHTTPClient(timeout=timeout_s)
        begun.append((process, client))
        return process, stripe.StripeClient("sk_test_x", http_client=client, base_addresses={"api": process.address})

    yield start
    for process, client in begun:
        await client.close_async()
        assert process.stop() == 0


async def asked(process, method, path, body=None, status=200):
    return json.loads(await asyncio.to_thread(process.ask, method, f"/_stand_in/{path}", body, status))


@pytest.mark.parametrize(("fault", "done"), [("answer_lost", 1), ("request_lost", 0)])
async def test_a_cut_connection_is_an_error_of_the_connection(started, fault, done):
    process, provider = await started(f"{fault}=1")
    with pytest.raises(stripe.APIConnectionError):
        await provider.v1.payment_intents.create_async(wish(), options=keyed())
    assert len(await asyncio.to_thread(process.charges)) == done


async def test_a_call_that_hangs_is_cut_in_the_end_and_done_all_the_same(started):
    process, provider = await started("hang=1&hang_ms=400")
    before = time.monotonic()
    with pytest.raises(stripe.APIConnectionError):
        await provider.v1.payment_intents.create_async(wish(), options=keyed())
    assert time.monotonic() - before >= 0.4
    async with asyncio.timeout(DEADLINE_S):
        while not await asyncio.to_thread(process.charges):
            await asyncio.sleep(0.02)


async def test_webhooks_are_signed_and_their_deliveries_listed(started, hooks):
    address, came = hooks
    process, provider = await started(stand_in_webhook_url=address, stand_in_webhook_secret=SECRET)
    intent = (await provider.v1.payment_intents.create_async(wish(payment_method=CHALLENGE), options=keyed())).id
    await asked(process, "POST", "triggers", {"action": "complete", "intent": intent})
    types = set()
    for _ in range(3):
        body, signature = await asyncio.wait_for(came.get(), DEADLINE_S)
        event = stripe.Webhook.construct_event(body, signature, SECRET)
        assert event.data.object.id == intent
        types.add(event.type.removeprefix("payment_intent."))
    assert types == {"created", "requires_action", "amount_capturable_updated"}
    async with asyncio.timeout(DEADLINE_S):
        while len(listed := await asked(process, "GET", "deliveries")) < 3:
            await asyncio.sleep(0.02)
    assert [(one["number"], one["status"], one["attempt"]) for one in listed] == [(n, 200, 1) for n in (1, 2, 3)]
    assert set(listed[0]) == set(Delivery.__struct_fields__)
    assert await asked(process, "GET", "deliveries?after=2") == listed[2:]


async def test_its_behaviour_can_be_changed_while_it_runs(started):
    process, provider = await started()
    changed = await asked(process, "PATCH", "behaviour", {"declines": 1.0, "latency_ms": 30})
    assert (changed["declines"], changed["latency_ms"], changed["writes_per_s"]) == (1.0, 30, 0.0)
    assert await asked(process, "GET", "behaviour") == changed
    with pytest.raises(stripe.CardError):
        await provider.v1.payment_intents.create_async(wish(), options=keyed())
    for wrong in ({"declines": 2}, {"no": 1}, {"slow": 0.9, "hang": 0.9}, []):
        await asked(process, "PATCH", "behaviour", wrong, status=400)
    assert await asked(process, "GET", "behaviour") == changed


async def test_a_brownout_begins_and_ends_on_demand(started):
    process, provider = await started("reads_per_s=0&writes_per_s=0", timeout_s=0.2)
    await asked(process, "POST", "brownout", {"ms": 60_000})
    calls = [provider.v1.payment_intents.list_async() for _ in range(20)]
    told = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(one, stripe.StripeError) for one in told)
    await asked(process, "POST", "brownout", {"ms": 0})
    assert (await provider.v1.payment_intents.list_async()).data == []


async def test_triggers_are_refused_where_they_make_no_sense(started):
    process, provider = await started()
    intent = (await provider.v1.payment_intents.create_async(wish(), options=keyed())).id
    problem = await asked(process, "POST", "triggers", {"action": "complete", "intent": intent}, status=400)
    assert "requires_capture" in problem["error"]["message"]
    await asked(process, "POST", "triggers", {"action": "complete", "intent": "pi_none"}, status=404)
    await asked(process, "POST", "triggers", {"action": "explode", "intent": intent}, status=400)
    row = await asked(process, "POST", "triggers", {"action": "expire", "intent": intent})
    assert (row["status"], row["voided"]) == ("canceled", 1_000)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"stand_in_behaviour": "decline=1"}, "unknown field `decline`"),
        ({"stand_in_port": "x"}, "TURNSTILE_STAND_IN_PORT"),
        ({"stand_in_book": "."}, "its book: .*directory"),
    ],
)
def test_started_wrongly_it_says_so_and_ends(tmp_path, settings, said):
    process = StandInProcess(tmp_path, **settings)
    with pytest.raises(AssertionError, match=said):
        process.start()
