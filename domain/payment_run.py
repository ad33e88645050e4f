"""One operation on one attempt's money, from its request to what it came to: calls, replies and time, no IO.

    run = Run(ask, taken_ms, jitter)
    step = run.step(now_ms)
    Call: carry it (if `run.may_send(step, now_ms)` still holds, else reply NotSent()), then run.step(now_ms, reply)
    Wait: run.step(now_ms) when its time has come, or earlier, when there is news
    Done: the end

A reply that leaves it open what was done is no outcome: the run finds out, with the same key, for as long as it takes.
What a replayed key answers is history, so the state is retrieved, and only that counts. Who gives up is the order, by
its own deadline: then it asks for a void, whose run in turn never gives up.
"""

from collections.abc import Callable

from domain.inquiry import Answer, Asking, Inquiry, is_replayed
from domain.orders import Ask
from domain.payment import Operation, PayOutcome, provider_key
from domain.payment_ask import PATIENCE, Done, Patience, PayAsk, Step, authorised, captured, voided
from domain.provider import Cancel, Capture, IntentSeen, NotSent, Refund, RefundSeen, Refused, Reply, Status

ORPHAN = "orphan"
"""In the keys by which money is closed that no living order knows."""
_SUCCEEDED = "succeeded"
_PENDING = frozenset({"pending", "requires_action"})
_FREE = {  # the provider takes no amount of 0
    Ask.AUTHORISE: Done(Operation.AUTHORISE, PayOutcome.AUTHORISED),
    Ask.CAPTURE: Done(Operation.CAPTURE, PayOutcome.CAPTURED),
    Ask.VOID: Done(Operation.VOID, PayOutcome.VOIDED),
    Ask.REFUND: Done(Operation.REFUND, PayOutcome.REFUNDED),
}


class Run(Inquiry):
    """One request being carried out. `jitter`: a number from [0, 1) at each call. `done`: once it is at its end."""

    def __init__(self, ask: PayAsk, taken_ms: int, jitter: Callable[[], float], patience: Patience = PATIENCE) -> None:
        super().__init__(ask, taken_ms, jitter, patience)
        self.done: Done | None = None
        operations = {
            Ask.AUTHORISE: self._authorise,
            Ask.CAPTURE: self._capture,
            Ask.LOOK: self._look,
            Ask.VOID: self._void,
            Ask.REFUND: self._refund,
            Ask.ORPHAN: self._orphan,
        }
        if ask.kind in _FREE and not (ask.amount if ask.kind is Ask.REFUND else ask.authorised):
            self.done = _FREE[ask.kind]
        self._steps = operations[ask.kind]()

    def step(self, now_ms: int, reply: Reply | None = None) -> Step:
        """What to do next; `reply` to the call that the last step was."""
        if self.done:
            return self.done
        self._now_ms = now_ms
        try:
            return self._steps.send(reply)
        except StopIteration as end:
            done: Done = end.value
            self.done = done
            return done

    def _authorise(self) -> Asking[Done]:
        seen = yield from self._made()
        while True:
            if seen is None:
                return _given_up(Operation.AUTHORISE)
            if isinstance(seen, Refused):
                return Done(Operation.AUTHORISE, PayOutcome.DECLINED, reason=seen.code)
            if done := authorised(seen):
                return done
            if self._dropped:
                return _given_up(Operation.AUTHORISE, seen.id)
            yield from self._pause()
            seen = yield from self._retrieve(seen.id)

    def _capture(self) -> Asking[Done]:
        intent = yield from self._known_intent()
        if not intent:
            return _given_up(Operation.CAPTURE)
        if not self.ask.amount:
            return (yield from self._capture_nothing(intent))
        generation = 1
        while True:
            call = Capture(self._key(Operation.CAPTURE, generation), intent, self.ask.amount)
            reply, seen = yield from self._change(call, intent)
            if done := captured(seen):
                return done
            if isinstance(reply, NotSent):
                return _given_up(Operation.CAPTURE, intent)
            if isinstance(reply, Refused) and self.tries >= len(self._patience.retries_ms):
                return Done(Operation.CAPTURE, PayOutcome.FAILED, intent, reason=reply.code)
            generation += is_replayed(reply)
            yield from self._pause()

    def _capture_nothing(self, intent: str) -> Asking[Done]:
        """What was to be paid for is gone: the provider captures no amount of 0, so give back what is authorised."""
        ended = yield from self._end(intent)
        if ended.outcome is None:
            return _given_up(Operation.CAPTURE, intent)
        taken = ended.amount if ended.outcome is PayOutcome.CAPTURED else 0
        return Done(Operation.CAPTURE, PayOutcome.CAPTURED, intent, taken)

    def _void(self) -> Asking[Done]:
        """Of an intent whose id is lost, the create is repeated first: its key is then taken by a cancelled intent."""
        intent = self.ask.intent
        if not intent:
            made = yield from self._made()
            if made is None:
                return _given_up(Operation.VOID)
            if isinstance(made, Refused):
                return Done(Operation.VOID, PayOutcome.VOIDED, reason=made.code)
            if done := voided(made):
                return done
            intent = made.id
        return (yield from self._end(intent))

    def _end(self, intent: str) -> Asking[Done]:
        """Cancel it, or find out that it is captured."""
        generation = 1
        while True:
            reply, seen = yield from self._change(Cancel(self._key(Operation.VOID, generation), intent), intent)
            if done := voided(seen):
                return done
            if isinstance(reply, NotSent):
                return _given_up(Operation.VOID, intent)
            generation += is_replayed(reply)
            yield from self._pause()

    def _refund(self) -> Asking[Done]:
        ask = self.ask
        tags = ask.tags._replace(refund=ask.key)
        intent = yield from self._known_intent()
        if not intent:
            return _given_up(Operation.REFUND)
        generation = 1
        # When the provider may have forgotten the key, only its list can tell whether the money went already.
        only_looks = self._now_ms >= ask.asked_ms + self._patience.key_ms
        while True:
            reply: Answer | None = None
            if not only_looks:
                call = Refund(self._key(Operation.REFUND, generation), tags, intent, ask.amount)
                reply, fresh = yield from self._send(call)
                if fresh and isinstance(reply, RefundSeen) and reply.status == _SUCCEEDED:
                    return Done(Operation.REFUND, PayOutcome.REFUNDED, intent, reply.amount)
            made = yield from self._refunds(intent, tags)
            if any(one.status == _SUCCEEDED for one in made):
                return Done(Operation.REFUND, PayOutcome.REFUNDED, intent, ask.amount)
            if isinstance(reply, NotSent):
                return _given_up(Operation.REFUND, intent)
            if isinstance(reply, Refused) and not ask.key:
                seen = yield from self._retrieve(intent)
                if seen.captured and seen.refunded >= seen.captured:
                    return Done(Operation.REFUND, PayOutcome.REFUNDED, intent, seen.refunded, reply.code)
            pending = any(one.status in _PENDING for one in made)
            if reply and not pending:
                generation += is_replayed(reply)
            if reply or pending:
                yield from self._pause()
            only_looks = pending

    def _look(self) -> Asking[Done]:
        ask = self.ask
        judges = {Operation.AUTHORISE: authorised, Operation.CAPTURE: captured, Operation.VOID: voided}
        judge = judges.get(ask.waits) if ask.waits else None
        if ask.waits is None or judge is None or not ask.intent:
            return Done(Operation.AUTHORISE, None, reason="nothing is waited for")
        seen = yield from self._peek(ask.intent)
        if seen is None or seen.tags != ask.tags:
            return Done(ask.waits, None, ask.intent, reason="not this order's")
        return judge(seen) or Done(ask.waits, None, ask.intent, reason=seen.status)

    def _orphan(self) -> Asking[Done]:
        """None may stay of money that no living order knows."""
        tags, intent = self.ask.tags, self.ask.intent
        name = f"{ORPHAN}:{intent}"
        seen = yield from self._peek(intent)
        if seen is None or seen.tags != tags:
            return Done(Operation.VOID, None, intent, reason="not this order's")
        done = Done(Operation.VOID, None, intent, reason="nothing is alive")
        generation = 1
        while is_alive(seen):
            call: Cancel | Refund
            if seen.status is Status.SUCCEEDED:
                left = seen.captured - seen.refunded
                done = Done(Operation.REFUND, PayOutcome.REFUNDED, intent, left)
                key = self._key(Operation.REFUND, generation, name)
                call = Refund(key, tags._replace(refund=ORPHAN), intent, left)
            else:
                done = Done(Operation.VOID, PayOutcome.VOIDED, intent, seen.capturable)
                call = Cancel(self._key(Operation.VOID, generation, name), intent)
            reply, _ = yield from self._send(call)
            if isinstance(reply, NotSent):
                return _given_up(done.operation, intent)
            generation += is_replayed(reply)
            seen = yield from self._retrieve(intent)
            if is_alive(seen):
                yield from self._pause()
        return done

    def _known_intent(self) -> Asking[str]:
        """The attempt's intent, "" if there is none to be found."""
        if self.ask.intent:
            return self.ask.intent
        found = yield from self._find()
        return found.id if found else ""

    def _key(self, operation: Operation, generation: int, refund: str = "") -> str:
        """A key that the provider has spent on a failure gets a successor: for changes that cannot be made twice."""
        key = provider_key(self.ask.tags.order, self.ask.tags.attempt, operation, refund or self.ask.key)
        return key if generation == 1 else f"{key}#{generation}"


def is_alive(seen: IntentSeen) -> bool:
    """Whether an intent holds the customer's money, or still may."""
    if seen.status is Status.SUCCEEDED:
        return seen.refunded < seen.captured
    return seen.status is not Status.CANCELED


def _given_up(operation: Operation, intent: str = "") -> Done:
    """Nothing is known for certain, and nothing may be sent any more: who still waits asks again."""
    return Done(operation, None, intent, reason="not sent any more")
