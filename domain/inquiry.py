"""How a run talks to the provider: sends, waits, repeats, and finds out what became of a call."""

from collections.abc import Callable, Generator
from typing import TypeVar

from domain.orders import Ask
from domain.payment import Operation, provider_key
from domain.payment_ask import Patience, PayAsk, Wait
from domain.provider import (
    Call,
    Cancel,
    Capture,
    Create,
    Find,
    FindRefunds,
    IntentSeen,
    Limited,
    NotSent,
    Page,
    RefundSeen,
    Refused,
    Reply,
    Retrieve,
    Tags,
    Unknown,
    Write,
)

Answer = IntentSeen | RefundSeen | Page | Refused | Unknown | NotSent
T = TypeVar("T")
Asking = Generator[Call | Wait, Reply | None, T]
"""Gives calls and waits, is sent replies, ends with a T."""


class Inquiry:
    """The part of a run that all operations share. `unknowns`: calls in a row that told nothing; `tries`: waits so far.

    Set `deadline_ms` when the order moved it.
    """

    def __init__(self, ask: PayAsk, taken_ms: int, jitter: Callable[[], float], patience: Patience) -> None:
        self.ask = ask
        self.deadline_ms = ask.deadline_ms
        self.unknowns = 0
        self.tries = 0
        self._taken_ms = taken_ms
        self._jitter = jitter
        self._patience = patience
        self._now_ms = taken_ms
        self._keys: set[str] = set()
        self._dropped = False

    def drop(self) -> None:
        """The order has gone on without the answer: no write is sent any more."""
        self._dropped = True

    def may_send(self, call: Call, now_ms: int) -> bool:
        """Whether a call is still worth its while: a read always, a write until it could do harm."""
        if not isinstance(call, Write):
            return True
        if self._dropped or now_ms >= self._taken_ms + self._patience.stale_ms:
            return False
        if not isinstance(call, Create):
            return True
        return not self._too_late(now_ms) and now_ms < self.ask.asked_ms + self._patience.key_ms

    def _too_late(self, now_ms: int) -> bool:
        """The order undoes itself: an authorisation would only be voided again."""
        return self.ask.kind is Ask.AUTHORISE and 0 < self.deadline_ms <= now_ms

    def _made(self) -> Asking[IntentSeen | Refused | None]:
        """The attempt's intent, made now or before; Refused if there is none and never will be; None if not to know."""
        ask = self.ask
        key = provider_key(ask.tags.order, ask.tags.attempt, Operation.AUTHORISE)
        call = Create(key, ask.tags, ask.authorised, ask.currency, ask.method, ask.request)
        # Somebody else may have sent the create that a void repeats, so that a refusal need not be the whole truth.
        doubtful = ask.kind is Ask.VOID
        while True:
            reply, fresh = yield from self._send(call)
            if isinstance(reply, IntentSeen):
                return reply if fresh else (yield from self._retrieve(reply.id))
            if isinstance(reply, NotSent):
                break
            kept = isinstance(reply, Unknown) and reply.replayed
            refused = reply if isinstance(reply, Refused) else Refused("provider-error") if kept else None
            if refused and not (doubtful or kept):
                return refused
            doubtful = True
            if refused or (isinstance(reply, Unknown) and reply.why == "idempotency_error"):
                found = yield from self._find()
                if found or refused:
                    return found or refused
            yield from self._pause()
        if self._dropped or self._too_late(self._now_ms):
            return None
        found = yield from self._find()
        if found is None and self._now_ms >= ask.asked_ms + self._patience.lost_ms:
            return Refused("never-made")
        return found

    def _change(self, call: Capture | Cancel, intent: str) -> Asking[tuple[Answer, IntentSeen]]:
        """The answer to a change, and the intent's state after it."""
        reply, fresh = yield from self._send(call)
        if fresh and isinstance(reply, IntentSeen):
            return reply, reply
        return reply, (yield from self._retrieve(intent))

    def _retrieve(self, intent: str) -> Asking[IntentSeen]:
        """The state of an intent that there is."""
        while True:
            reply, _ = yield from self._send(Retrieve(intent))
            if isinstance(reply, IntentSeen):
                return reply
            yield from self._pause()

    def _peek(self, intent: str) -> Asking[IntentSeen | None]:
        """The state of an intent that somebody named; None if there is no such, or the provider does not say."""
        while True:
            reply, _ = yield from self._send(Retrieve(intent))
            if isinstance(reply, IntentSeen):
                return reply
            if isinstance(reply, Refused) or self.tries >= len(self._patience.retries_ms):
                return None
            yield from self._pause()

    def _find(self) -> Asking[IntentSeen | None]:
        """Look the attempt's intent up among those that were made since it was asked for."""
        ask, patience = self.ask, self._patience
        before_ms = patience.skew_ms + (0 if ask.kind is Ask.AUTHORISE else patience.before_ms)
        until_ms = min(self._now_ms, ask.asked_ms + patience.lost_ms) + patience.skew_ms
        call = Find(ask.asked_ms - before_ms, until_ms)
        while True:
            reply, _ = yield from self._send(call)
            if not isinstance(reply, Page):
                yield from self._pause()
                continue
            for one in reply.intents:
                if one.tags[:3] == ask.tags[:3]:
                    return (yield from self._retrieve(one.id))
            if not reply.more:
                return None
            call = call._replace(after=reply.intents[-1].id)

    def _refunds(self, intent: str, tags: Tags) -> Asking[list[RefundSeen]]:
        """The refunds of an intent that carry `tags`."""
        call = FindRefunds(intent)
        found: list[RefundSeen] = []
        while True:
            reply, _ = yield from self._send(call)
            if not isinstance(reply, Page):
                yield from self._pause()
                continue
            found += [one for one in reply.refunds if one.tags == tags]
            if not reply.more:
                return found
            call = call._replace(after=reply.refunds[-1].id)

    def _send(self, call: Call) -> Asking[tuple[Answer, bool]]:
        """The answer to a call, and whether it tells what is, not what was when its key was new."""
        while True:
            if not self.may_send(call, self._now_ms):
                return NotSent(), False
            reply = yield call
            if isinstance(reply, Limited):
                yield Wait(self._now_ms + self._spread(reply.retry_after_ms))
                continue
            if reply is None:
                message = f"{call} was not answered"
                raise TypeError(message)
            fresh = True
            if isinstance(call, Write):
                fresh = call.key not in self._keys and not is_replayed(reply)
                self._keys.add(call.key)
            self.unknowns = self.unknowns + 1 if isinstance(reply, Unknown) else 0
            return reply, fresh

    def _pause(self) -> Asking[None]:
        """Before the next try."""
        retries = self._patience.retries_ms
        if self.tries < len(retries):
            wait_ms = retries[self.tries]
        else:
            wait_ms = min(retries[-1] << min(self.tries - len(retries) + 1, 16), self._patience.again_max_ms)
        self.tries += 1
        yield Wait(self._now_ms + self._spread(wait_ms))

    def _spread(self, wait_ms: int) -> int:
        return wait_ms + int(wait_ms * self._patience.jitter * self._jitter())


def is_replayed(reply: Reply) -> bool:
    """Whether a reply is the kept answer of its key."""
    return isinstance(reply, IntentSeen | RefundSeen | Refused | Unknown) and reply.replayed
