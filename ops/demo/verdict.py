"""The demo's verdict: from the log and from what each shopper was told, not from anything that the demo believed."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from domain.ids import order_id, order_text
from domain.orders import SETTLED
from domain.outcomes import Outcome
from ops.audit.journey import Money
from ops.audit.report import Report
from ops.audit.violations import Kind
from ops.demo.answers import Answer, Ending, Told, percentile
from ops.demo.history import History, longest_gap_s
from ops.demo.orders import Fate
from ops.demo.plan import Options, hot_partition
from ops.demo.sales import Answered, Sales
from streams.keys import Keys
from streams.topics import partition_of

OK = 200
CREATED = 201
OK_BELOW = 300
REASONS_MAX = 20
KILL_SHARES = (0.2, 0.8)
"""The kill must hit while between these shares of the requests are decided."""
MUST_BE_NONE = (
    "double_charges",
    "stuck_orders",
    "oversold",
    "undersold",
    "double_holds",
    "undecided",
    "wrong_answers",
    "fifo_violations",
    "violations",
    "still_held",
)
CANCELLED = frozenset({"CANCELLED", "EXPIRED", "REFUNDED"})
"""What an order that was let go may come to."""
REMEMBERED = frozenset(
    {
        Outcome.NOT_OPEN,
        Outcome.CLOSED,
        Outcome.PRICE_CHANGED,
        Outcome.LIMIT_REACHED,
        Outcome.ALL_HELD,
        Outcome.SOLD_OUT,
        Outcome.INSUFFICIENT,
    }
)
"""Refusals that the fold remembers for their key: the client is told the receipt."""


class Kill(NamedTuple):
    """What the demo did to the owner of the hot SKU's partition, and what the system said of its end."""

    worker: str
    pid: int
    at_ms: int
    exit: str


class Evidence(NamedTuple):
    """Everything that is judged. `histories`: one a partition. `kill` None: none was asked for.

    `orders`: what became of them by their ledger; `book`: the provider's charges for this log.
    """

    options: Options
    partitions: int
    audit: Report
    histories: list[History]
    told: Told
    kill: Kill | None
    orders: Mapping[str, Fate]
    book: Sequence[Money]


class Judgement(NamedTuple):
    """`figures`: the JSON line. `reasons`: why it failed, some of them; none if it passed."""

    figures: dict[str, Any]
    reasons: list[str]

    @property
    def passed(self) -> bool:
        """Nothing was found wrong."""
        return not self.reasons


def judge(evidence: Evidence, keys: Keys) -> Judgement:
    """The verdict. `keys`: the installation's, to know a shopper's order id."""
    sales = Sales()
    for history in evidence.histories:
        sales.fold(history)
    wrong = [*_wrong_answers(evidence, sales, keys), *_wrong_endings(evidence.told.endings, evidence.orders)]
    reasons = [*(str(violation) for violation in evidence.audit.violations), *wrong]
    figures = {
        **_counted(evidence, sales, len(wrong)),
        **_money(evidence),
        **_measured(evidence, sales),
        **_failover(evidence, sales, reasons),
        "seed": evidence.options.seed,
    }
    reasons += [f"{name} is {figures[name]}, not 0" for name in MUST_BE_NONE if figures[name]]
    if figures["duplicates_absorbed"] != figures["duplicates"]:
        reasons.append("a repeated request was answered otherwise than the first")
    if not figures["sold"]:
        reasons.append("nothing was sold")
    if figures["sold"] != figures["confirmed"]:
        reasons.append(f"{figures['sold']} units are sold, {figures['confirmed']} orders of one unit confirmed")
    if figures["captured"] - figures["refunded"] != figures["confirmed_amount"]:
        kept = figures["captured"] - figures["refunded"]
        reasons.append(f"the provider has {kept} of us, the confirmed orders cost {figures['confirmed_amount']}")
    return Judgement({**figures, "verdict": "fail" if reasons else "pass"}, reasons[:REASONS_MAX])


def _counted(evidence: Evidence, sales: Sales, wrong: int) -> dict[str, Any]:
    options, audit, answers = evidence.options, evidence.audit, evidence.told.answers
    unheard = sum(1 for answer in answers if not answer.status)
    missing = options.shoppers - len({answer.customer for answer in answers})
    return {
        "shoppers": options.shoppers,
        "units": options.units,
        "skus": options.skus,
        "granted": sum(1 for answered in sales.answered.values() if answered.grant),
        "sold": sum(sales.sold.values()),
        "oversold": sales.oversold or audit.count_of(Kind.OVERSELL),
        "undersold": audit.count_of(Kind.UNDERSELL),
        "double_holds": sales.double_holds or audit.count_of(Kind.DOUBLE_GRANT, Kind.LIMIT),
        "duplicates": sum(1 for answer in answers if answer.repeat),
        "duplicates_absorbed": _absorbed(answers),
        "undecided": sum(history.waiting for history in evidence.histories) + unheard + missing,
        "wrong_answers": wrong + sales.other_repeats,
        "fifo_violations": audit.count_of(Kind.FIFO),
        "violations": sum(audit.counts.values()),
        "still_held": sales.held(),
    }


def _measured(evidence: Evidence, sales: Sales) -> dict[str, Any]:
    """Latencies are of each shopper's first request, from its planned moment to the answer that decided."""
    told = evidence.told
    latencies = [answer.latency_ms for answer in told.answers if not answer.repeat]
    until_ms = _opened_ms(sales) + told.sale_s * 1000
    decided = sum(1 for answered in sales.answered.values() if answered.at_ms <= until_ms)
    return {
        "p50_ms": round(percentile(latencies, 0.5), 1),
        "p99_ms": round(percentile(latencies, 0.99), 1),
        "decisions": sales.decisions,
        "decisions_per_s": round(decided / max(told.sale_s, 0.001), 1),
        "retries": sum(max(0, tries - 1) for tries in _tries(told)),
    }


def _tries(told: Told) -> list[int]:
    """How often each answer was asked for."""
    return [answer.tries for answer in told.answers] + [ending.tries for ending in told.endings]


def _wrong_answers(evidence: Evidence, sales: Sales, keys: Keys) -> list[str]:
    found = []
    for answer in evidence.told.answers:
        home = partition_of(answer.sku, evidence.partitions)
        order = order_id(keys.customer, answer.customer, answer.key, home)
        wrong = _wrong(answer, order_text(order), sales.answered.get(order)) if answer.status else None
        if wrong:
            found.append(f"{answer.customer} was told {answer.status} {answer.body}: {wrong}")
    return found


def _wrong(answer: Answer, order: str, decided: Answered | None) -> str | None:
    """What is wrong with an answer, against the first decision on its key in the ledger."""
    if decided is None:
        return "the ledger has no decision on this key"
    try:
        body = json.loads(answer.body)
    except ValueError:
        return "this is not JSON"
    if not isinstance(body, dict):
        return "this is no object"
    if decided.grant is None:
        expected: dict[str, Any] = {"outcome": decided.outcome.label, "order_id": order}
        if decided.outcome in REMEMBERED:
            expected["receipt"] = str(decided.receipt)
        fits = answer.status != CREATED
    else:
        grant = decided.grant
        expected = {
            "order_id": order,
            "status": "RESERVED",
            "receipt": str(decided.receipt),
            "sku": grant.sku,
            "quantity": grant.quantity,
            "unit_price": grant.unit_price,
            "currency": grant.currency,
        }
        fits = answer.status == CREATED and _ms(body.get("expires_at")) == grant.deadline_ms
    if fits and all(body.get(name) == value for name, value in expected.items()):
        return None
    return f"the ledger decided {decided.outcome.label} {expected}"


def _money(evidence: Evidence) -> dict[str, Any]:
    """Money in minor units: of the provider's book, beside what the order ledger says of the orders."""
    fates, book = evidence.orders.values(), evidence.book
    charged = Counter(money.order for money in book if money.captured)
    confirmed = [fate for fate in fates if fate.state == "CONFIRMED"]
    return {
        "orders": len(fates),
        "confirmed": len(confirmed),
        "confirmed_amount": sum(fate.amount for fate in confirmed),
        "captured": sum(money.captured for money in book),
        "refunded": sum(money.refunded for money in book),
        "voided": sum(money.voided for money in book),
        "double_charges": sum(count - 1 for count in charged.values()),
        "stuck_orders": sum(1 for fate in fates if fate.state not in SETTLED),
        "declined": sum(max(0, fate.attempts - 1) for fate in fates),
    }


def _wrong_endings(endings: list[Ending], orders: Mapping[str, Fate]) -> list[str]:
    """Holders who were told another end than the ledger has, or whose cancel was accepted for nothing."""
    found = []
    for ending in endings:
        fate = orders.get(ending.order_id)
        state = fate.state if fate else "unknown"
        kept = ending.wish == "cancel" and OK <= ending.status < OK_BELOW and state not in CANCELLED
        if ending.seen == state and not kept:
            continue
        answer = f"{ending.wish} was answered {ending.status} {ending.body}"
        found.append(f"{ending.customer}: {answer}; told {ending.seen or 'no end'}, the order is {state}")
    return found


def _absorbed(answers: list[Answer]) -> int:
    """Repeats that got byte for byte what the first request got."""
    first = {answer.key: (answer.status, answer.body) for answer in answers if not answer.repeat}
    return sum(
        1
        for answer in answers
        if answer.repeat and answer.status and first.get(answer.key) == (answer.status, answer.body)
    )


def _failover(evidence: Evidence, sales: Sales, reasons: list[str]) -> dict[str, Any]:
    """The kill and the claim that followed, by the ledger; appends to `reasons` what does not show a take-over."""
    kill, hot = evidence.kill, evidence.histories[hot_partition(evidence.options, evidence.partitions)]
    figures = {"failover_s": longest_gap_s(hot, _opened_ms(sales)), "killed": None, "claimed_by": None}
    if kill is None:
        return figures
    if kill.exit != "SIGKILL":
        reasons.append(f"the killed worker {kill.worker} ended by {kill.exit}, not by SIGKILL")
    before = [claim.claim.worker for claim in hot.claims if claim.at_ms <= kill.at_ms]
    after = [claim.claim.worker for claim in hot.claims if claim.at_ms > kill.at_ms]
    if before[-1:] != [kill.worker]:
        reasons.append(f"{kill.worker} was killed, but the hot partition's owner was {before[-1:]}")
    if not after or after[0] == kill.worker:
        reasons.append(f"no other worker claimed the hot partition after {kill.worker} was killed: {after}")
    decided = sum(1 for answered in sales.answered.values() if answered.at_ms <= kill.at_ms)
    share = decided / evidence.options.shoppers
    low, high = KILL_SHARES
    if not low <= share <= high:
        reasons.append(f"{share:.0%} of the requests were decided at the kill, not {low:.0%} to {high:.0%}")
    return {
        **figures,
        "killed": kill.worker,
        "claimed_by": after[0] if after else None,
        "decided_at_kill": round(share, 3),
    }


def _opened_ms(sales: Sales) -> int:
    return min((answered.at_ms for answered in sales.answered.values()), default=0)


def _ms(text: object) -> int | None:
    """An RFC 3339 time in milliseconds."""
    try:
        return round(datetime.fromisoformat(str(text)).timestamp() * 1000)
    except ValueError:
        return None
