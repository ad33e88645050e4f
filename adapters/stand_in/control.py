"""What the operator asks of a running stand-in, below /_stand_in/: its book, deliveries, triggers, behaviour.

On loopback only and without a key: there is no money in it.
"""

from collections.abc import Awaitable, Callable
from itertools import islice

import msgspec
from aiohttp import web

from adapters.stand_in import charges
from adapters.stand_in.behaviour import Behaviour
from adapters.stand_in.book import Book
from adapters.stand_in.objects import Event
from adapters.stand_in.refusal import BAD_REQUEST, Refusal
from adapters.stand_in.triggers import Trigger
from streams.actions import Action
from streams.logs import Log

PREFIX = "/_stand_in"
JSON = "application/json"
PAGE = 500
_encode = msgspec.json.Encoder().encode


class Pull(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST triggers."""

    action: Trigger
    intent: str


class Brownout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST brownout. `ms`: how long, from now on; 0 ends one."""

    ms: int


class Happened(msgspec.Struct, frozen=True):
    """An event in short: what became of which intent of which order. Money in minor units."""

    number: int
    at_ms: int
    type: str
    intent: str
    order: str
    attempt: str
    status: str
    amount: int
    captured: int
    refunded: int
    currency: str

    @classmethod
    def of(cls, number: int, event: Event) -> "Happened":
        intent = event.intent
        order, attempt = (intent.metadata.get(name, "") for name in ("order", "attempt"))
        money = intent.amount, intent.captured, intent.refunded, intent.currency
        return cls(number, event.created_ms, event.type, intent.id, order, attempt, intent.status, *money)


class Control:
    """`woken` is called after everything that may have made mail."""

    def __init__(self, book: Book, clock_ms: Callable[[], int], woken: Callable[[], None], log: Log) -> None:
        self._book = book
        self._clock_ms = clock_ms
        self._woken = woken
        self._log = log

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(f"{PREFIX}/book", self._charges),
            web.get(f"{PREFIX}/events", self._events),
            web.get(f"{PREFIX}/deliveries", self._deliveries),
            web.get(f"{PREFIX}/behaviour", self._behaviour),
            web.patch(f"{PREFIX}/behaviour", _checked(self._behave)),
            web.post(f"{PREFIX}/triggers", _checked(self._trigger)),
            web.post(f"{PREFIX}/brownout", _checked(self._brown_out)),
        ]

    async def _charges(self, _: web.Request) -> web.Response:
        return web.Response(body=charges.lines(self._book.charges()), content_type="application/x-ndjson")

    async def _deliveries(self, request: web.Request) -> web.Response:
        """Those after number `after`, as far back as they are remembered."""
        found = [one for one in self._book.mail.log if one.number > _after(request)]
        return web.Response(body=_encode(found), content_type=JSON)

    async def _events(self, request: web.Request) -> web.Response:
        """Those after number `after`, at most PAGE; the first event has number 1."""
        after = _after(request)
        events = islice(self._book.shelf.events.values(), after, after + PAGE)
        rows = [Happened.of(number, event) for number, event in enumerate(events, after + 1)]
        return web.Response(body=_encode(rows), content_type=JSON)

    async def _behaviour(self, _: web.Request) -> web.Response:
        return web.Response(body=_encode(self._book.behaviour), content_type=JSON)

    async def _behave(self, request: web.Request) -> web.Response:
        """What the body names is set, the rest stays."""
        change = msgspec.json.decode(await request.read(), type=dict)
        wanted = {**msgspec.structs.asdict(self._book.behaviour), **change}
        self._book.behave(msgspec.convert(wanted, Behaviour))
        self._log(Action.BEHAVIOUR_SET, change=change)
        return await self._behaviour(request)

    async def _trigger(self, request: web.Request) -> web.Response:
        pull = msgspec.json.decode(await request.read(), type=Pull)
        now_ms = self._clock_ms()
        refusal: Refusal | None
        if pull.action is Trigger.EXPIRE:
            refusal = self._book.expire(pull.intent, now_ms)
        else:
            refusal = self._book.settle(pull.intent, now_ms, ok=pull.action is Trigger.COMPLETE)
        if refusal:
            return _problem(refusal.message, refusal.status)
        self._woken()
        row = charges.charge_of(self._book.shelf.intents[pull.intent])
        return web.Response(body=_encode(row), content_type=JSON)

    async def _brown_out(self, request: web.Request) -> web.Response:
        brownout = msgspec.json.decode(await request.read(), type=Brownout)
        now_ms = self._clock_ms()
        self._book.brown_out(now_ms, now_ms + brownout.ms)
        self._log(Action.BEHAVIOUR_SET, change=f"a brownout of {brownout.ms} ms")
        return web.Response(body=_encode(brownout), content_type=JSON)


def _checked(
    handle: Callable[[web.Request], Awaitable[web.Response]],
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """400 for a body that is not what the route takes."""

    async def handled(request: web.Request) -> web.Response:
        try:
            return await handle(request)
        except (msgspec.MsgspecError, ValueError) as error:
            return _problem(str(error), BAD_REQUEST)

    return handled


def _after(request: web.Request) -> int:
    after = request.query.get("after", "0")
    return int(after) if after.isdecimal() else 0


def _problem(message: str, status: int) -> web.Response:
    return web.Response(status=status, body=_encode({"error": {"message": message}}), content_type=JSON)
