"""The provider without a wire: calls and the time go in, outcomes come out. No clock, no waiting, only seeded chance.

Its shells: client.py in process, server.py over HTTP. A simulator drives it directly.
"""

import heapq
from collections.abc import Callable, Iterable, Mapping
from enum import Enum, auto
from random import Random
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from adapters.stand_in import render
from adapters.stand_in.behaviour import BROWNOUT, Behaviour, Faults
from adapters.stand_in.charges import Charge, charge_of
from adapters.stand_in.endpoints import Call, Endpoints, Reply
from adapters.stand_in.keys import KEY_CHARS_MAX, Kept, Keys, Running, fingerprint_of
from adapters.stand_in.limits import Bucket
from adapters.stand_in.mail import Letter, Mail
from adapters.stand_in.objects import Event, Intent, Refund
from adapters.stand_in.refusal import KEY_TOO_LONG, NO_API_KEY, NOT_NOW, RATE_LIMITED, SERVER_ERROR, Refusal
from adapters.stand_in.shelf import Shelf

TEST_KEY = "sk_test_"
_LATENCY_SIGMA = 0.3
"""Of the logarithm of a latency: the slowest of a hundred takes twice the median."""
_encode = msgspec.json.Encoder().encode


class Request(NamedTuple):
    """`form`: parameters of the body or the query, form-encoded and flat. `key`: of idempotency, "" = none."""

    method: str
    path: str
    form: Mapping[str, str] = {}
    key: str = ""
    api_key: str = TEST_KEY


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


class Fate(Enum):
    """What the caller sees after the delay: an answer, a cut connection, or nothing at all."""

    ANSWER = auto()
    LOST = auto()
    HANG = auto()


class Outcome(NamedTuple):
    """Of a hanging call `delay_ms` is when the provider gives up: cut the connection then."""

    fate: Fate
    answer: Answer | None
    delay_ms: int


class Change(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one call or one moment changed: all of it, or nothing, is in the book."""

    at_ms: int
    intents: list[Intent] = []
    refunds: list[Refund] = []
    events: list[Event] = []
    kept: Kept | None = None


class Book:
    """`keep` is called with every change before its outcome is returned: a journal writes it down there.

    Times given may go back; the book's own does not.
    """

    def __init__(
        self,
        behaviour: Behaviour = Behaviour(),  # noqa: B008 - frozen
        *,
        keep: Callable[[Change], None] | None = None,
        webhooks: bool = False,
    ) -> None:
        self.now_ms = 0
        self._seed = behaviour.seed
        self.shelf = Shelf(behaviour.seed)
        self.mail = Mail(behaviour.seed, open_=webhooks)
        self._chance = Random(behaviour.seed)
        self._keep = keep
        self._keys = Keys(behaviour.kept_ms)
        self._calls = 0
        self._endpoints = Endpoints(self.shelf, behaviour)
        self._late: list[tuple[int, int, Request]] = []
        self._ripening: list[tuple[int, str]] = []
        self._brownout = (0, 0)
        self.behave(behaviour)

    def behave(self, behaviour: Behaviour) -> None:
        """From now on; `seed` and `kept_ms` stay what they were at first."""
        behaviour = replace(behaviour, seed=self._seed)
        self.behaviour = self._endpoints.behaviour = behaviour
        self._reads = Bucket(behaviour.reads_per_s)
        self._writes = Bucket(behaviour.writes_per_s)

    def brown_out(self, from_ms: int, to_ms: int) -> None:
        """No call within [from, to) is answered as usual."""
        self._brownout = (from_ms, to_ms)

    def restore(self, changes: Iterable[Change]) -> None:
        """Take over what `keep` was given in an earlier life."""
        for change in changes:
            for intent in change.intents:
                self.shelf.put_intent(intent)
            for refund in change.refunds:
                self.shelf.put_refund(refund)
            for event in change.events:
                self.shelf.put_event(event)
            self._watch(change)
            if change.kept:
                self._keys.keep(change.kept)
            self.now_ms = max(self.now_ms, change.at_ms)

    def receive(self, request: Request, now_ms: int) -> Outcome:
        """One call: what it does, is done when this returns, except of one that hangs."""
        now_ms = self.advance(now_ms)
        fault, delay_ms = self._draw(now_ms)
        if fault == "request_lost":
            return Outcome(Fate.LOST, None, delay_ms)
        refusal = NOT_NOW if fault == "unavailable" else self._at_the_door(request, now_ms)
        if refusal:
            return Outcome(Fate.ANSWER, self._refused(refusal), delay_ms)
        writes, fingerprint = request.method == "POST" and bool(request.key), ""
        found: Kept | Refusal | None = None
        if writes:
            fingerprint = fingerprint_of(request.form)
            found = self._keys.look(request.key, request.path, fingerprint, now_ms)
        if isinstance(found, Refusal):
            return Outcome(Fate.ANSWER, self._refused(found), delay_ms)
        if writes and found is None and delay_ms:
            self._keys.begin(request.key, Running(request.path, fingerprint, now_ms + delay_ms))
        if fault == "hang":
            if request.method == "POST" and found is None:
                self._calls += 1
                heapq.heappush(self._late, (now_ms + delay_ms, self._calls, request))
            return Outcome(Fate.HANG, None, delay_ms)
        if isinstance(found, Kept):
            answer = self._replayed(found)
        else:
            answer = self._execute(request, now_ms, broken=fault == "error_after")
        if fault == "answer_lost":
            return Outcome(Fate.LOST, None, delay_ms)
        return Outcome(Fate.ANSWER, answer, delay_ms)

    def advance(self, now_ms: int) -> int:
        """Let time pass; the book's time. Calls that hang are executed, authorisations expire, refunds are settled."""
        now_ms = max(self.now_ms, now_ms)
        while (due_ms := self.next_ms()) is not None and due_ms <= now_ms:
            self.now_ms = max(self.now_ms, due_ms)
            if self._late and self._late[0][0] == due_ms:
                self._execute(heapq.heappop(self._late)[2], self.now_ms, broken=False)
            else:
                self._ripen(heapq.heappop(self._ripening)[1], due_ms)
        self.now_ms = now_ms
        return now_ms

    def next_ms(self) -> int | None:
        """When `advance` has something to do; mail apart."""
        heads = [heap[0][0] for heap in (self._late, self._ripening) if heap]
        return min(heads, default=None)

    def _ripen(self, name: str, due_ms: int) -> None:
        """An authorisation expires, a refund is settled; nothing if it came to something else before."""
        refund, intent = self.shelf.refunds.get(name), self.shelf.intents.get(name)
        if refund and refund.settles_ms == due_ms:
            self._endpoints.settle_refund(refund, self.now_ms)
        elif intent and intent.expires_ms == due_ms:
            self._endpoints.expire(name, self.now_ms)
        self._commit(None)

    def settle(self, intent: str, now_ms: int, *, ok: bool) -> Refusal | None:
        """The customer has authenticated or failed to, or a slow payment has ended; a Refusal if it waits for none."""
        refusal = self._endpoints.settle(intent, self.advance(now_ms), ok=ok)
        self._commit(None)
        return refusal

    def expire(self, intent: str, now_ms: int) -> Refusal | None:
        """Let an authorisation be too old now; a Refusal if there is none."""
        refusal = self._endpoints.expire(intent, self.advance(now_ms))
        self._commit(None)
        return refusal

    def charges(self) -> list[Charge]:
        """One row an intent, in the order of creation."""
        return [charge_of(intent) for intent in self.shelf.intents.values()]

    def payload(self, letter: Letter) -> bytes:
        """The body of a webhook."""
        return _encode(render.event_json(self.shelf.events[letter.event]))

    def _draw(self, now_ms: int) -> tuple[str, int]:
        """The fault of this call, "" = none, and when its outcome shows; always as many draws."""
        first, last = self._brownout
        faults: Faults = BROWNOUT if first <= now_ms < last else self.behaviour
        at, spread = self._chance.random(), self._chance.lognormvariate(0, _LATENCY_SIGMA)
        latency_ms = round(self.behaviour.latency_ms * spread)
        for fault in ("slow", "hang", "answer_lost", "request_lost", "error_after", "unavailable"):
            at -= getattr(faults, fault)
            if at < 0:
                more_ms = {"slow": round(faults.slow_ms * spread), "hang": faults.hang_ms}.get(fault, 0)
                return fault, latency_ms + more_ms
        return "", latency_ms

    def _at_the_door(self, request: Request, now_ms: int) -> Refusal | None:
        bucket = self._reads if request.method == "GET" else self._writes
        if not bucket.take(now_ms):
            return RATE_LIMITED
        if not request.api_key.startswith(TEST_KEY):
            return NO_API_KEY
        return KEY_TOO_LONG if len(request.key) > KEY_CHARS_MAX else None

    def _execute(self, request: Request, now_ms: int, *, broken: bool) -> Answer:
        """Do it, keep the answer of its key, and write both down. `broken`: done, but answered 500."""
        self._calls += 1
        name = self.shelf.fresh("req", self._calls, now_ms)
        reply = self._endpoints.answer(Call(request.method, request.path, request.form, request.key, now_ms, name))
        if broken and reply.executed:
            reply = Reply(SERVER_ERROR.status, render.refusal_json(SERVER_ERROR))
        body, kept = _encode(reply.body), None
        if request.method == "POST" and request.key and reply.executed:
            kept = Kept(
                key=request.key,
                path=request.path,
                fingerprint=fingerprint_of(request.form),
                at_ms=now_ms,
                status=reply.status,
                request=name,
                body=msgspec.Raw(body),
            )
        self._commit(kept)
        return Answer(reply.status, {"Request-Id": name}, body)

    def _commit(self, kept: Kept | None) -> None:
        """What has changed since the last time: into the keys, the mail, the heap of expiries and the journal."""
        done = self._endpoints
        if not kept and not done.changed:
            return
        change = Change(
            at_ms=self.now_ms,
            intents=list({intent.id: intent for intent in done.changed}.values()),
            refunds=done.refunded,
            events=done.happened,
            kept=kept,
        )
        done.changed, done.refunded, done.happened = [], [], []
        if kept:
            self._keys.keep(kept)
        self._watch(change)
        if self._keep:
            self._keep(change)
        for event in change.events:
            self.mail.post(event.id, self.now_ms, self.behaviour)

    def _watch(self, change: Change) -> None:
        """What will happen by itself."""
        for intent in change.intents:
            if intent.expires_ms:
                heapq.heappush(self._ripening, (intent.expires_ms, intent.id))
        for refund in change.refunds:
            if refund.settles_ms:
                heapq.heappush(self._ripening, (refund.settles_ms, refund.id))

    def _replayed(self, kept: Kept) -> Answer:
        headers = {"Request-Id": self._fresh_request(), "Original-Request": kept.request, "Idempotent-Replayed": "true"}
        return Answer(kept.status, headers, bytes(kept.body))

    def _refused(self, refusal: Refusal) -> Answer:
        return Answer(refusal.status, {"Request-Id": self._fresh_request()}, _encode(render.refusal_json(refusal)))

    def _fresh_request(self) -> str:
        self._calls += 1
        return self.shelf.fresh("req", self._calls, self.now_ms)
