"""`turnstile stripe`: what an operator sees and does at the stand-in."""

import asyncio
import json
import os

import pytest
import stripe

from adapters.stand_in.charges import Charge, read, read_lines
from ops import gateways_file
from ops.cli.stripe import totals_of
from tests.adapters.stand_in.process import running
from tests.contract.payments_suite import CHALLENGE, DECLINED, keyed, wish


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    with running(tmp_path_factory.mktemp("stand-in")) as process:
        yield process


@pytest.fixture
def url(process):
    return process.address.replace("http", "stand-in+http", 1)


def bought(process, order, **changes) -> str:
    """The id of an intent of this order."""
    metadata = {"environment": "cli", "order": order, "attempt": "1"}

    async def buy():
        client = stripe.AIOHTTPClient()
        provider = stripe.StripeClient("sk_test_x", http_client=client, base_addresses={"api": process.address})
        try:
            made = await provider.v1.payment_intents.create_async(wish(metadata=metadata, **changes), options=keyed())
        except stripe.CardError as error:
            made = error.error.payment_intent
        finally:
            await client.close_async()
        return made.id

    return asyncio.run(buy())


pytestmark = pytest.mark.slow


def test_the_book_shows_every_intent_and_what_it_adds_up_to(turnstile, process, url):
    paid, declined = bought(process, "o1", capture_method="automatic"), bought(process, "o2", payment_method=DECLINED)
    done = turnstile("stripe", "book", "--url", url)
    lines = {line.split()[0]: line.split() for line in done.stdout.splitlines() if line}
    assert lines[paid][1:] == ["o1", "1", "succeeded", "1000", "1000", "0", "0", "eur"]
    assert lines[declined][3:6] == ["requires_payment_method", "0", "0"]
    shown = json.loads(turnstile("stripe", "book", "--json", payments=url).stdout)
    assert {charge["id"] for charge in shown["charges"]} >= {paid, declined}
    assert read(json.dumps(shown).encode()) == read_lines(process.ask("GET", "/_stand_in/book"))
    assert (shown["double_charges"], shown["totals"]["eur"]["captured"]) == (0, 1_000)


def test_a_trigger_lets_the_customer_pass_3d_secure(turnstile, process, url):
    intent = bought(process, "o3", payment_method=CHALLENGE)
    done = turnstile("stripe", "trigger", "complete", intent, "--json", "--url", url)
    assert (json.loads(done.stdout)["status"], done.returncode) == ("requires_capture", 0)
    again = turnstile("stripe", "trigger", "complete", intent, "--url", url)
    assert (again.returncode, "has a status of requires_capture" in again.stderr) == (1, True)
    assert turnstile("stripe", "trigger", "explode", intent, "--url", url).returncode == 2


def test_listen_prints_what_has_happened_and_ends_after_so_many(turnstile, process, url):
    intent = bought(process, "o4")
    rows = turnstile("stripe", "listen", "--past", "--count", "2", "--json", "--url", url).stdout.splitlines()
    assert [json.loads(row)["number"] for row in rows] == [1, 2]
    everything = process.ask("GET", "/_stand_in/events").count(b'"number"')
    done = turnstile("stripe", "listen", "--past", "--count", str(everything), "--url", url)
    last = done.stdout.splitlines()[-1]
    assert ("payment_intent.amount_capturable_updated" in last, intent in last, "order o4:1" in last) == (True,) * 3


def test_the_stand_in_of_up_is_found_without_a_word(turnstile, process, url, data_dir):
    data_dir.mkdir()
    gateways_file.write(data_dir, ["http://127.0.0.1:9"], url)
    assert turnstile("stripe", "book", "--json").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "no stand-in is running here"),
        (("--url", "http://127.0.0.1:9"), "expected stand-in+http://"),
        (("--url", "stand-in+http://127.0.0.1:9"), "no answer from the stand-in"),
    ],
)
def test_without_a_stand_in_it_says_what_to_do(turnstile, arguments, said):
    done = turnstile("stripe", "book", *arguments)
    assert (done.returncode, said in done.stderr, "Traceback" in done.stderr) == (1, True, False)


def test_serve_becomes_the_stand_in(turnstile, monkeypatch):
    ran = []
    monkeypatch.setattr(os, "execve", lambda *arguments: ran.append(arguments))
    turnstile("stripe", "serve", "--port", "0", "--behaviour", "declines=0.1", "--webhook", "http://127.0.0.1:9/x")
    ((_, argv, environment),) = ran
    assert argv[-1] == "adapters.stand_in"
    assert environment["TURNSTILE_STAND_IN_PORT"] == "0"
    assert environment["TURNSTILE_STAND_IN_BEHAVIOUR"] == "declines=0.1"
    assert environment["TURNSTILE_STAND_IN_WEBHOOK_URL"] == "http://127.0.0.1:9/x"


def test_a_second_intent_that_keeps_an_orders_money_is_a_double_charge():
    def charge(order, captured, refunded=0, environment="e"):
        return Charge(
            id="pi", environment=environment, order=order, attempt=1, amount=1_000, currency="eur", authorised=1_000,
            captured=captured, refunded=refunded, voided=0, status="succeeded", created_ms=1,
        )  # fmt: skip

    twice = [charge("a", 1_000), charge("a", 500), charge("b", 1_000)]
    assert totals_of(twice)["double_charges"] == 1
    assert totals_of(twice)["totals"] == {"eur": {"authorised": 3_000, "captured": 2_500, "refunded": 0, "voided": 0}}
    refunded = [charge("a", 1_000), charge("a", 1_000, 1_000), charge("a", 1_000, environment="other"), charge("b", 0)]
    assert (totals_of(refunded)["double_charges"], totals_of(refunded)["orders_charged"]) == (0, 2)
