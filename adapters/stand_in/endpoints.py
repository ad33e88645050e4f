"""The endpoints: one call in, its answer and what it changed out. No key, limit or fault: see book.py."""

from collections.abc import Mapping
from typing import NamedTuple, TypeVar

from msgspec.structs import replace

from adapters.stand_in import intents, params, render
from adapters.stand_in.behaviour import Behaviour
from adapters.stand_in.intents import Step, Terms
from adapters.stand_in.methods import METHODS, drawn_decline
from adapters.stand_in.objects import Event, Intent, Refund, Status
from adapters.stand_in.pages import page
from adapters.stand_in.refusal import Refusal, missing, unknown_path
from adapters.stand_in.shelf import Shelf

P = TypeVar("P", bound=params.Params)


class Call(NamedTuple):
    """`form`: parameters of the body or the query, form-encoded and flat. `key`: of idempotency, "" = none."""

    method: str
    path: str
    form: Mapping[str, str]
    key: str
    now_ms: int
    request: str


class Reply(NamedTuple):
    """`executed`: the endpoint had begun."""

    status: int
    body: render.Json
    executed: bool = True


class Endpoints:
    """`behaviour`: for its declines and times; may be set at any time."""

    def __init__(self, shelf: Shelf, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.shelf = shelf
        self.changed: list[Intent] = []
        self.refunded: list[Refund] = []
        self.happened: list[Event] = []

    def answer(self, call: Call) -> Reply:
        """Do it. What changed is added to `changed`, `refunded`, `happened`."""
        match call.method, call.path.strip("/").split("/")[1:]:
            case "POST", ["payment_intents"]:
                return self._create(call)
            case "POST", ["payment_intents", name, ("confirm" | "capture" | "cancel") as verb]:
                intent = self.shelf.intents.get(name)
                if intent is None:
                    return _refused(missing("payment_intent", name, "intent"))
                change = {"confirm": self._confirm, "capture": self._capture, "cancel": self._cancel}[verb]
                return change(call, intent)
            case "POST", ["refunds"]:
                return self._refund(call)
            case "GET", ["payment_intents" | "refunds" | "events" as kind]:
                return self._list(call, kind)
            case "GET", ["payment_intents" | "refunds" | "events" | "charges" as kind, name]:
                return self._retrieve(call, kind, name)
        return _refused(unknown_path(call.method, call.path))

    def settle(self, name: str, now_ms: int, *, ok: bool) -> Refusal | None:
        """The customer has authenticated or failed to, or a slow payment has ended."""
        intent = self.shelf.intents.get(name)
        if intent is None:
            return missing("payment_intent", name, "intent")
        return self._outside(intents.settle(intent, self._terms(intent, now_ms), ok=ok), now_ms)

    def expire(self, name: str, now_ms: int) -> Refusal | None:
        """The authorisation has grown too old."""
        intent = self.shelf.intents.get(name)
        if intent is None:
            return missing("payment_intent", name, "intent")
        return self._outside(intents.expire(intent, now_ms), now_ms)

    def settle_refund(self, refund: Refund, now_ms: int) -> None:
        """A refund that was not settled at once is now."""
        step, settled = intents.settle_refund(self.shelf.intents[refund.intent], refund)
        self._keep(step, Call("", "", {}, "", now_ms, ""), settled)

    def _outside(self, step: Step | Refusal, now_ms: int) -> Refusal | None:
        """A change that no call made."""
        if isinstance(step, Refusal):
            return step
        self._keep(step, Call("", "", {}, "", now_ms, ""))
        return None

    def _create(self, call: Call) -> Reply:
        wish = params.parse(params.Create, call.form)
        if isinstance(wish, Refusal):
            return _refused(wish)
        if refusal := params.check_create(wish):
            return _refused(refusal)
        ordinal = len(self.shelf.intents)
        waits = Status.REQUIRES_CONFIRMATION if wish.payment_method else Status.REQUIRES_PAYMENT_METHOD
        fresh = Intent(
            id=self.shelf.fresh("pi", ordinal),
            ordinal=ordinal,
            amount=wish.amount,
            currency=wish.currency.lower(),
            status=waits,
            created_ms=call.now_ms,
            capture_method=wish.capture_method or "automatic_async",
            metadata=wish.metadata,
            method=wish.payment_method,
            description=wish.description,
            return_url=wish.return_url,
        )
        self._keep(Step(fresh, (intents.CREATED,)), call)
        if not wish.confirm:
            return Reply(200, render.intent_json(fresh, wish.expand))
        return self._stepped(intents.confirm(fresh, "", self._terms(fresh, call.now_ms, wish)), call, fresh, wish)

    def _confirm(self, call: Call, before: Intent) -> Reply:
        wish = params.parse(params.Confirm, call.form)
        if isinstance(wish, Refusal):
            return _refused(wish)
        if refusal := params.check_method(wish.payment_method):
            return _refused(refusal)
        intent = replace(
            before,
            capture_method=wish.capture_method or before.capture_method,
            return_url=wish.return_url or before.return_url,
        )
        step = intents.confirm(intent, wish.payment_method, self._terms(intent, call.now_ms, wish))
        return self._stepped(step, call, before, wish)

    def _capture(self, call: Call, before: Intent) -> Reply:
        wish = params.parse(params.Capture, call.form)
        if isinstance(wish, Refusal):
            return _refused(wish)
        if not wish.final_capture:
            text = "This account has no multicapture: final_capture must be true."
            return _refused(Refusal(param="final_capture", message=text))
        intent = replace(before, metadata={**before.metadata, **wish.metadata})
        return self._stepped(intents.capture(intent, wish.amount_to_capture), call, before, wish)

    def _cancel(self, call: Call, before: Intent) -> Reply:
        wish = params.parse(params.Cancel, call.form)
        if isinstance(wish, Refusal):
            return _refused(wish)
        return self._stepped(intents.cancel(before, wish.cancellation_reason, call.now_ms), call, before, wish)

    def _refund(self, call: Call) -> Reply:
        wish = params.parse(params.CreateRefund, call.form)
        if isinstance(wish, Refusal):
            return _refused(wish)
        if bool(wish.payment_intent) == bool(wish.charge):
            return _refused(Refusal(message="Exactly one of payment_intent and charge is required."))
        param, name = ("payment_intent", wish.payment_intent) if wish.payment_intent else ("charge", wish.charge)
        intent = self.shelf.intents.get(wish.payment_intent or self.shelf.of_charge.get(wish.charge, ""))
        if intent is None or wish.charge not in {"", intent.charge}:  # a charge that failed before is none to refund
            return _refused(missing(param, name, param))
        step = intents.refund(intent, wish.amount)
        if isinstance(step, Refusal):
            return _refused(step)
        first, then = METHODS[intent.method].refund
        refund = Refund(
            id=self.shelf.fresh("re", len(self.shelf.refunds)),
            intent=intent.id,
            charge=intent.charge,
            amount=step.intent.refunded - intent.refunded,
            currency=intent.currency,
            created_ms=call.now_ms,
            reason=wish.reason,
            metadata=wish.metadata,
            status=first,
            then=then,
            settles_ms=0 if first is then else call.now_ms + self.behaviour.refund_ms,
        )
        self._keep(step, call, refund)
        return Reply(200, render.refund_json(refund))

    def _list(self, call: Call, kind: str) -> Reply:
        types = {"payment_intents": params.List, "refunds": params.ListRefunds, "events": params.ListEvents}
        wish = params.parse(types[kind], call.form)
        if isinstance(wish, Refusal):
            return _refused(wish)
        low, high = wish.bounds()
        if isinstance(wish, params.ListEvents):
            wanted = {*wish.types, *([wish.type] if wish.type else [])}
            events = self.shelf.newest_events(low, high)
            found = page("event", (one for one in events if not wanted or one.type in wanted), wish)
        elif isinstance(wish, params.ListRefunds):
            name = wish.payment_intent or self.shelf.of_charge.get(wish.charge, "")
            if name not in self.shelf.intents and (wish.payment_intent or wish.charge):
                return _refused(missing("payment_intent", wish.payment_intent or wish.charge, "payment_intent"))
            refunds = self.shelf.refunds_of(name) if name else self.shelf.newest_refunds(low, high)
            found = page("refund", (one for one in refunds if low <= render.seconds(one.created_ms) <= high), wish)
        else:
            found = page("payment_intent", self.shelf.newest_intents(low, high), wish)
        if isinstance(found, Refusal):
            return _refused(found)
        data = [_rendered(item, ["latest_charge"] if wish.expand else []) for item in found.items]
        return Reply(200, render.list_json(f"/v1/{kind}", data, has_more=found.has_more))

    def _retrieve(self, call: Call, kind: str, name: str) -> Reply:
        wish = params.parse(params.Params, {key: call.form[key] for key in call.form if key != "client_secret"})
        if isinstance(wish, Refusal):
            return _refused(wish)
        if kind == "charges":
            intent = self.shelf.intents.get(self.shelf.of_charge.get(name, ""))
            if intent is None or intent.charge != name:
                return _refused(missing("charge", name, "id"))
            return Reply(200, render.charge_json(intent))
        shelves: dict[str, Mapping[str, Intent | Refund | Event]] = {
            "payment_intents": self.shelf.intents,
            "refunds": self.shelf.refunds,
            "events": self.shelf.events,
        }
        item = shelves[kind].get(name)
        if item is None:
            return _refused(missing(kind.rstrip("s"), name, "intent" if kind == "payment_intents" else "id"))
        return Reply(200, _rendered(item, wish.expand))

    def _terms(self, intent: Intent, now_ms: int, wish: params.Confirm | None = None) -> Terms:
        return Terms(
            now_ms,
            self.shelf.fresh("ch", intent.ordinal, intent.charges),
            now_ms + self.behaviour.authorised_ms,
            drawn_decline(self.behaviour.seed, self.behaviour.declines, intent.metadata, intent.id),
            off_session=wish is not None and wish.off_session,
            error_on_action=wish is not None and wish.error_on_requires_action,
        )

    def _stepped(self, step: Step | Refusal, call: Call, before: Intent, wish: params.Params) -> Reply:
        if isinstance(step, Refusal):
            return Reply(step.status, render.refusal_json(step, before), step.executed)
        self._keep(step, call)
        if step.refusal:
            return Reply(step.refusal.status, render.refusal_json(step.refusal, step.intent))
        return Reply(200, render.intent_json(step.intent, wish.expand))

    def _keep(self, step: Step, call: Call, refund: Refund | None = None) -> None:
        self.shelf.put_intent(step.intent)
        self.changed.append(step.intent)
        if refund:
            self.shelf.put_refund(refund)
            self.refunded.append(refund)
        for kind in step.events:
            event = Event(
                id=self.shelf.fresh("evt", len(self.shelf.events)),
                type=kind,
                created_ms=call.now_ms,
                intent=step.intent,
                refund=refund if kind.startswith("refund.") else None,
                request=call.request,
                key=call.key,
            )
            self.shelf.put_event(event)
            self.happened.append(event)


def _rendered(item: Intent | Refund | Event, expand: list[str] | params.Expand) -> render.Json:
    match item:
        case Intent():
            return render.intent_json(item, expand)
        case Refund():
            return render.refund_json(item)
        case Event():
            return render.event_json(item)


def _refused(refusal: Refusal) -> Reply:
    return Reply(refusal.status, render.refusal_json(refusal), refusal.executed)
