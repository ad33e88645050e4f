"""Parts that fit on a page: recent things, sharded dicts, rates, log time, times, problems."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response

from domain.outcomes import Outcome
from gateway import rates
from gateway.json_reply import JsonReply
from gateway.logtime import GRACE_MS, LogTime
from gateway.problems import InvalidRequestError, Problem, ProblemError, respond, respond_decided
from gateway.rates import RateLimiter
from gateway.recent import Recent
from gateway.sharded import Sharded
from gateway.times import rfc3339


class Clock:
    def __init__(self, now: float = 1_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@given(st.lists(st.tuples(st.sampled_from("pd"), st.integers(0, 9)), max_size=60))
def test_recent_remembers_the_last_ones_and_never_more_than_twice_as_many(steps):
    recent: Recent[int, int] = Recent(3)
    latest: list[int] = []
    for number, (step, key) in enumerate(steps):
        if key in latest:
            latest.remove(key)
        if step == "p":
            recent.put(key, number)
            latest.append(key)
            assert recent.get(key) == number
        else:
            recent.drop(key)
            assert recent.get(key) is None
        assert all(recent.get(one) is not None for one in latest[-3:])
        assert len(recent) <= 6


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 300)), max_size=60))
def test_a_sharded_dict_is_a_dict(steps):
    sharded: Sharded[int] = Sharded()
    plain: dict[bytes, int] = {}
    for number, (put, key) in enumerate((put, key.to_bytes(2, "big")) for put, key in steps):
        if put:
            sharded[key] = plain[key] = number
        elif key in plain:
            del plain[key]
            del sharded[key]
        else:
            with pytest.raises(KeyError):
                del sharded[key]
        assert sharded.get(key) == plain.get(key)
        assert len(sharded) == len(plain)


def test_a_sharded_dict_never_grows_all_at_once():
    sharded: Sharded[int] = Sharded()
    for number in range(10_000):
        sharded[number.to_bytes(4, "big")] = number
    assert max(map(len, sharded.shards)) < 200


def test_a_client_has_a_burst_and_then_its_rate():
    clock = Clock()
    limiter = RateLimiter(10, 5, clock)
    assert [limiter.wait_s("a") for _ in range(5)] == [0.0] * 5
    assert limiter.wait_s("a") == pytest.approx(0.1)
    assert limiter.wait_s("b") == 0.0
    clock.now += 0.1
    assert limiter.wait_s("a") == 0.0
    assert limiter.wait_s("a") == pytest.approx(0.1)
    clock.now += 60
    assert [limiter.wait_s("a") > 0 for _ in range(6)] == [False] * 5 + [True]


@given(st.lists(st.floats(0, 0.5), min_size=1, max_size=200))
def test_no_client_gets_more_than_burst_and_rate(pauses):
    clock = Clock()
    limiter = RateLimiter(10, 5, clock)
    passed = 0
    for pause in pauses:
        clock.now += pause
        passed += not limiter.wait_s("a")
    assert passed <= 5 + 10 * (clock.now - 1_000) + 1e-6


def test_rate_0_is_no_limit():
    limiter = RateLimiter(0, 1, Clock())
    assert not any(limiter.wait_s("a") for _ in range(1_000))


def test_full_buckets_are_swept_out(monkeypatch):
    monkeypatch.setattr(rates, "CLIENTS_MAX", 10)
    clock = Clock()
    limiter = RateLimiter(10, 1, clock)
    for number in range(100):
        clock.now += 0.05
        assert not limiter.wait_s(f"c{number}")
    assert len(limiter._full_at) <= 11


def test_log_time_goes_on_by_the_own_clock():
    clock = Clock()
    logtime = LogTime(2, clock)
    logtime.see(0, 5_000)
    assert not logtime.known()
    logtime.see(1, 7_000)
    assert logtime.known()
    clock.now += 1.5
    assert logtime.now_ms(0) == 6_500
    assert logtime.not_after_ms(0) == 6_500 + GRACE_MS
    logtime.see(0, 5_000)  # a fact read late is no news
    assert logtime.now_ms(0) == 6_500
    logtime.see(0, 6_000)
    assert logtime.now_ms(0) == 6_000
    assert logtime.now_ms(1) == 8_500


@pytest.mark.parametrize(
    ("time_ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_769_861_100_001, "2026-01-31T12:05:00.001Z"),
        (1_769_861_100_999, "2026-01-31T12:05:00.999Z"),
    ],
)
def test_times_are_rfc3339_to_the_millisecond(time_ms, text):
    assert rfc3339(time_ms) == text


SUCCESSES = {
    Outcome.GRANTED, Outcome.COMMITTED, Outcome.RELEASED, Outcome.EXTENDED, Outcome.RETURNED, Outcome.ADJUSTED,
    Outcome.POLICY_SET, Outcome.OPENED, Outcome.SHUT, Outcome.RULES_SET, Outcome.TICKED, Outcome.YIELDED,
    Outcome.NOT_YIELDED, Outcome.PINNED, Outcome.PLACED, Outcome.ACCEPTED, Outcome.UNCHANGED,
}  # fmt: skip
NEVER_AT_A_GATEWAY = {Outcome.BORN, Outcome.NOTED}


def test_every_outcome_that_is_no_success_has_its_problem():
    for outcome in set(Outcome) - SUCCESSES - NEVER_AT_A_GATEWAY:
        problem = Problem[outcome.name]
        assert problem.label == outcome.label
        response = respond_decided(outcome, {"order_id": "x"})
        body = json.loads(response.body)
        assert (response.status_code, body["status"], body["outcome"]) == (
            problem.status,
            problem.status,
            outcome.label,
        )
        assert body["order_id"] == "x"


def test_each_problem_has_a_name_of_its_own():
    assert len({problem.label for problem in Problem}) == len(Problem)
    for problem in Problem:
        response = respond(ProblemError(problem))
        assert response.media_type == "application/problem+json"
        assert ("retry-after" in response.headers) == (problem.retry_after_s is not None)
        assert problem.status not in {429, 503} or "retry-after" in response.headers or problem is Problem.WRONG_KEY


def test_all_invalid_places_are_named():
    response = respond(InvalidRequestError(("$.a", "wrong"), ("$.b", "missing")))
    body = json.loads(response.body)
    assert body["errors"] == [{"path": "$.a", "message": "wrong"}, {"path": "$.b", "message": "missing"}]
    assert body["detail"] == "$.a: wrong; $.b: missing"


@pytest.mark.parametrize("body", [b"", b'{"status":"CREATED"}'])
@pytest.mark.parametrize("headers", [{}, {"Turnstile-Appended": "0:1:2", "Location": "/v1/orders/1", "X": "\xe4"}])
async def test_a_reply_is_the_response_that_starlette_makes(body, headers):
    sent = []
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    for response in (JsonReply(body, 201, raw), Response(body, 201, headers, "application/json")):
        messages = []

        async def send(message, messages=messages):
            messages.append(message)

        await response({"type": "http"}, None, send)
        sent.append(messages)
    assert sent[0] == sent[1]
    assert len(sent[0]) == 2
