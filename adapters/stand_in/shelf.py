"""What the provider has in its books, in the order of creation, and the ids that it gives."""

import hashlib
from bisect import bisect_left
from collections.abc import Iterator

from adapters.stand_in.objects import Event, Intent, Refund


class Shelf:
    """Nothing is ever removed: it is the book of money of one run, a few hundred bytes an intent and an event."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.intents: dict[str, Intent] = {}
        self.refunds: dict[str, Refund] = {}
        self.events: dict[str, Event] = {}
        self.of_charge: dict[str, str] = {}
        self._refunds_of: dict[str, list[str]] = {}
        self._newest = Newest()
        self._newest_refunds = Newest()
        self._newest_events = Newest()

    def fresh(self, prefix: str, *ordinals: int) -> str:
        """An id as the provider's look, a function of the seed and of what it is numbered by: unique, reproducible."""
        text = ":".join((str(self._seed), prefix, *map(str, ordinals)))
        return f"{prefix}_{hashlib.blake2b(text.encode(), digest_size=12).hexdigest()}"

    def put_intent(self, intent: Intent) -> None:
        if intent.id not in self.intents:
            self._newest.add(intent.created_ms, intent.id)
        self.intents[intent.id] = intent
        if intent.charge:
            self.of_charge[intent.charge] = intent.id

    def put_refund(self, refund: Refund) -> None:
        if refund.id not in self.refunds:
            self._refunds_of.setdefault(refund.intent, []).append(refund.id)
            self._newest_refunds.add(refund.created_ms, refund.id)
        self.refunds[refund.id] = refund

    def put_event(self, event: Event) -> None:
        self.events[event.id] = event
        self._newest_events.add(event.created_ms, event.id)

    def newest_intents(self, from_s: int, to_s: int) -> Iterator[Intent]:
        """Those created in these seconds, both included, the newest first."""
        return (self.intents[name] for name in self._newest.between(from_s, to_s))

    def newest_refunds(self, from_s: int, to_s: int) -> Iterator[Refund]:
        return (self.refunds[name] for name in self._newest_refunds.between(from_s, to_s))

    def newest_events(self, from_s: int, to_s: int) -> Iterator[Event]:
        return (self.events[name] for name in self._newest_events.between(from_s, to_s))

    def refunds_of(self, intent: str) -> Iterator[Refund]:
        """The newest first."""
        return (self.refunds[name] for name in reversed(self._refunds_of.get(intent, ())))


class Newest:
    """Names by the time of their creation, which never goes back."""

    def __init__(self) -> None:
        self._times: list[int] = []
        self._names: list[str] = []

    def add(self, created_ms: int, name: str) -> None:
        self._times.append(created_ms)
        self._names.append(name)

    def between(self, from_s: int, to_s: int) -> Iterator[str]:
        first = bisect_left(self._times, from_s * 1000)
        last = bisect_left(self._times, (to_s + 1) * 1000)
        return (self._names[at] for at in range(last - 1, first - 1, -1))
