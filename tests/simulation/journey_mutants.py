"""The journey of an order with one rule taken out, for everybody, as in mutants.py."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from adapters.stand_in.behaviour import Behaviour
from domain import order as order_module
from domain import order_delivering, order_paying, order_starting, order_table, order_undo, payment_run
from domain.order_events import Event
from domain.order_step import Step
from domain.order_table import NONE, Rule
from domain.orders import Pay, Phase
from domain.provider import Refused
from tests.simulation import payer
from tests.simulation.agent import Agent
from tests.simulation.journey_mutation import JourneyMutation
from tests.simulation.mutants import Mutant, Unmutated, given
from tests.simulation.order_view import OrderView
from tests.simulation.relay import Relay
from tests.simulation.trade import Trade


class JourneyMutant(Mutant, JourneyMutation):
    """`dealings`: fields of the trade. `moods`: fields of the provider's behaviour. `numbers`: of the order's rules."""

    dealings: Mapping[str, Any] = given()
    moods: Mapping[str, Any] = given()
    numbers: Mapping[str, Any] = given()

    def trade(self, trade: Trade) -> Trade:
        behaviour = Behaviour(**{name: getattr(trade.behaviour, name) for name in MOODS} | self.moods)
        rules = trade.rules._replace(**self.numbers)
        return trade._replace(behaviour=behaviour, rules=rules, **self.dealings)


MOODS = Behaviour.__struct_fields__
QUIET = given(slow=0.0, hang=0.0, answer_lost=0.0, request_lost=0.0, error_after=0.0, unavailable=0.0)


class UnmutatedJourney(Unmutated, JourneyMutation):
    """The weather and the trade of a mutant, and nothing taken out."""

    def __init__(self, mutant: type[JourneyMutant]) -> None:
        super().__init__(mutant)
        self._trade = mutant.trade
        self.dealings, self.moods, self.numbers = mutant.dealings, mutant.moods, mutant.numbers

    def trade(self, trade: Trade) -> Trade:
        return self._trade(self, trade)  # type: ignore[arg-type]


Change = Callable[[Rule], Rule | None]


@contextmanager
def table(change: Change) -> Iterator[None]:
    """The order table with every row as `change` leaves it (None: taken out)."""
    rules = tuple(after for rule in order_table.TABLE if (after := change(rule)) is not None)
    with patch.object(order_table, "BY_PHASE", order_table._indexed(rules)):
        yield


class TableMutant(JourneyMutant):
    """Of one row, or some."""

    @staticmethod
    def row(rule: Rule) -> Rule | None:
        raise NotImplementedError

    @contextmanager
    def patched(self) -> Iterator[None]:
        with super().patched(), table(self.row):
            yield


# --- money ----------------------------------------------------------------------------------------------------------


def _capture_at_once(row: Any, command: Any, now: Any) -> Step:
    step = order_paying.authorised(row, command, now)
    assert step.row is not None
    return step._replace(row=step.row._replace(pay=Pay.CAPTURING))


class CapturedBeforeCommit(TableMutant):
    """Money is captured as soon as it is authorised, while the lines are still to be sold."""

    kinds = frozenset({"an order stepped off the table"})

    @staticmethod
    def row(rule: Rule) -> Rule:
        return rule._replace(step=_capture_at_once) if rule.event is Event.AUTHORISED else rule


class RandomPaymentKeys(JourneyMutant):
    """Every call has a key of its own, so a repeat is a second charge."""

    kinds = frozenset({"two intents of one attempt", "two attempts have money", "an authorisation is left"})
    moods = given(answer_lost=0.3)

    @contextmanager
    def patched(self) -> Iterator[None]:
        request_of, numbers = payer.request_of, itertools.count()

        def keyed(call: Any) -> Any:
            wire = request_of(call)
            return wire._replace(key=wire.key and f"{wire.key}:{next(numbers)}")

        with patch.object(payer, "request_of", keyed):
            yield


def _goes_for_sold(row: Any, command: Any, now: Any) -> Step:
    return order_paying.committed(row, command, now)


class GoneTakenForSold(TableMutant):
    """A commit that came too late counts like one that came in time."""

    seeds = 100
    kinds = frozenset({"paid for what was not sold"})
    conditions = given(hold_ms=700, slow_net=0.2, slow_net_ms=600)
    dealings = given(orders=40, bundles=0.0, cancel=0.0)
    moods = given(**QUIET | {"latency_ms": 350, "declines": 0.0})
    numbers = given(hold_margin_ms=1, deadline_ms=8000)

    @staticmethod
    def row(rule: Rule) -> Rule:
        return rule._replace(step=_goes_for_sold) if rule.event is Event.GONE else rule


class NothingVoided(JourneyMutant):
    """An order that turns round while it waits for its money takes it that there is none."""

    dealings = given(cancel=0.8)
    kinds = frozenset({"an order stepped off the table", "an authorisation is left"})
    patches = ((order_undo, "_PAY_BACK", {**order_undo._PAY_BACK, Pay.AUTHORISING: Pay.CLOSED}),)


def _nothing_made(run: Any) -> Any:
    """A void of an intent whose id is lost: what is in no list was never made."""
    found = yield from run._find()
    return found or Refused("never-made")


class VoidsWithoutATombstone(JourneyMutant):
    """A void does not take the key of a create that may still be on its way."""

    seeds = 300
    kinds = frozenset({"an authorisation is left", "two attempts have money", "a charge for nobody"})
    dealings = given(cancel=0.8)
    moods = given(**QUIET | {"hang": 0.4, "hang_ms": 3000, "webhook_lost": 1.0})

    @contextmanager
    def patched(self) -> Iterator[None]:
        made = payment_run.Run._made

        def without(run: Any) -> Any:
            return _nothing_made(run) if run.ask.kind == "void" else made(run)

        with patch.object(payment_run.Run, "_made", without):
            yield


class OrphansLeft(TableMutant):
    """Nobody looks at money that is there for no living order."""

    patience_ms = 30_000
    kinds = frozenset({"stuck"})
    dealings = given(strays=2)
    moods = given(webhook_lost=0.0, declines=0.0)

    @staticmethod
    def row(rule: Rule) -> Rule | None:
        return None if rule.step is order_delivering.orphan else rule


# --- requests and answers -------------------------------------------------------------------------------------------


class EverythingDecidedAnew(TableMutant):
    """The order fold without dedupe: what gives birth to an order does so again."""

    kinds = frozenset({"stuck", "claim storm", "a partition stopped", "an order stepped off the table"})

    @staticmethod
    def row(rule: Rule) -> Rule | None:
        if rule.event is Event.BORN and Phase.PENDING in rule.phases:
            return rule._replace(step=order_starting.born, when=None)
        if rule.event is Event.PLACE and Phase.PENDING in rule.phases:
            return rule._replace(step=order_starting.place, when=None)
        return rule


class CancelBeforeBirthUnknown(TableMutant):
    """A cancel of an order that nobody has heard of is answered "unknown", and forgotten."""

    kinds = frozenset({"a cancel is forgotten", "answers contradict"})
    dealings = given(cancel=0.8)

    @staticmethod
    def row(rule: Rule) -> Rule:
        early = rule.event is Event.CANCEL and NONE in rule.phases
        return rule._replace(step=order_delivering.wish_for_nothing) if early else rule


class NothingResumed(JourneyMutant):
    """What an agent lost is not asked for again."""

    patience_ms = 40_000
    kinds = frozenset({"stuck"})
    conditions = given(crash=2.0)
    dealings = given(ack_on_receipt=True)
    patches = ((order_module, "resume", lambda _: None),)

    @contextmanager
    def patched(self) -> Iterator[None]:
        with super().patched(), patch("tables.orders.resume", lambda _: None):
            yield


class RelayAcksFirst(JourneyMutant):
    """The relay commits what it has read before it has written."""

    seeds = 200
    kinds = frozenset({"a grant without an order"})
    conditions = given(crash=2.0)
    dealings = given(bundles=0.0)

    @contextmanager
    def patched(self) -> Iterator[None]:
        write = Agent.write

        def later(agent: Relay, part: Any, role: Any, commands: Any, *_: Any) -> None:
            nothing = lambda: None  # noqa: E731 - nobody waits
            agent.later(200, write, agent, part, role, commands, nothing, nothing, stream="late")

        with patch.object(Relay, "write", later):
            yield


class UnguardedOrderView(OrderView):
    """Believes every event."""

    def is_news(self, place: tuple[int, int]) -> bool:
        return True


class OrderViewWithoutGuard(JourneyMutant):
    """Events published again turn a view back."""

    kinds = frozenset({"a view went back"})

    def order_view(self) -> OrderView:
        return UnguardedOrderView()
