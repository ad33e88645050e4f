"""Payment runs as text tables: first what is asked for, then one row a step and the reply to it.

    authorise [amount=N] [intent=pi] [key=k] [waits=capture] [asked=MS] [deadline=MS]
    STEP  ->  REPLY
    wait MS
    done OUTCOME [details]

Time stands still but for waits, which last as long as they say (no jitter), and for a row `later MS`. The order is o,
its attempt 1, its intent pi, 500 are authorised. Replies: a status of the intent, `refused CODE`, `limited MS`,
`unknown`, `in-use`, `mismatch`, `kept` (the first answer of the key was a 500), `refund STATUS`, `page STATUS,...`
(of the attempt's intent, `other` = of another order, `more` = and another page), `refunds STATUS,...`, `not-sent`.
`again` after a reply: it is the kept answer of its key.
"""

from domain.orders import Ask
from domain.payment import Operation
from domain.payment_ask import PATIENCE, Done, PayAsk, Wait
from domain.payment_run import Run
from domain.provider import (
    Cancel,
    Capture,
    Create,
    Find,
    FindRefunds,
    IntentSeen,
    Limited,
    NotSent,
    Page,
    Refund,
    RefundSeen,
    Refused,
    Reply,
    Retrieve,
    Status,
    Tags,
    Unknown,
)

NOW_MS = 1_000_000_000
TAGS = Tags("env", "o", 1)
OTHER = Tags("env", "other", 1)
MINUTE_MS = 60_000
UNITS = {"s": 1_000, "m": MINUTE_MS, "h": 60 * MINUTE_MS}


def play(table: str, patience=PATIENCE) -> Run:
    """AssertionError names the first row that came out otherwise."""
    first, *rows = [line.strip() for line in table.strip().splitlines()]
    now = NOW_MS
    ask = ask_of(first, now)
    run = Run(ask, now, lambda: 0.0, patience)
    reply: Reply | None = None
    for row in rows:
        if row.startswith("later "):
            now += millis(row.split()[1])
            continue
        if row == "drop":
            run.drop()
            continue
        step = run.step(now, reply)
        expected, _, answer = (part.strip() for part in row.partition("->"))
        assert shown(step, now) == expected, f"{row!r} of\n{table}"
        reply = reply_of(answer, ask) if answer else None
        if isinstance(step, Wait):
            now = step.until_ms
    assert run.done is not None or not rows[-1].startswith("done")
    return run


def millis(text: str) -> int:
    return int(text[:-1]) * UNITS[text[-1]] if text[-1] in UNITS else int(text)


def ask_of(text: str, now: int) -> PayAsk:
    kind, *words = text.split()
    options = dict(word.split("=") for word in words)
    waits = options.get("waits")
    return PayAsk(
        Ask(kind),
        TAGS,
        authorised=int(options.get("amount", 500)),
        amount=int(options.get("take", options.get("amount", 500))),
        currency="EUR",
        method="pm",
        intent=options.get("intent", ""),
        key=options.get("key", ""),
        asked_ms=now - millis(options.get("age", "0")),
        deadline_ms=now + millis(options["deadline"]) if "deadline" in options else 0,
        waits=Operation(waits) if waits else None,
    )


def shown(step, now: int) -> str:
    match step:
        case Create():
            return f"create {short(step.key)}"
        case Retrieve():
            return f"retrieve {step.intent}"
        case Capture():
            return f"capture {step.amount} {short(step.key)}"
        case Cancel():
            return f"cancel {short(step.key)}"
        case Refund():
            return f"refund {step.amount} {short(step.key)}"
        case Find():
            return f"find {step.after}".strip()
        case FindRefunds():
            return f"find-refunds {step.after}".strip()
        case Wait():
            return f"wait {step.until_ms - now}"
        case Done():
            details = [step.outcome.value if step.outcome else "nothing"]
            details += [step.intent] if step.intent else []
            details += [str(step.amount)] if step.amount else []
            details += [step.reason] if step.reason else []
            details += [step.action] if step.action else []
            return " ".join(("done", *details))
    raise TypeError(step)


def short(key: str) -> str:
    return key.removeprefix("o:1:")


def reply_of(text: str, ask: PayAsk) -> Reply:
    again = text.endswith(" again")
    word, _, rest = text.removesuffix(" again").partition(" ")
    match word:
        case "refused":
            return Refused(rest, again)
        case "limited":
            return Limited(int(rest))
        case "unknown":
            return Unknown("connection", outage=True)
        case "in-use":
            return Unknown("http 409 idempotency_key_in_use")
        case "mismatch":
            return Unknown("idempotency_error")
        case "kept":
            return Unknown("http 500", replayed=True)
        case "not-sent":
            return NotSent()
        case "refund":
            return refund(rest, ask, again)
        case "refunds":
            names = [name for name in rest.split(",") if name not in {"none", "more"}]
            return Page(refunds=tuple(refund(name, ask) for name in names), more="more" in rest)
        case "page":
            names = [name for name in rest.split(",") if name not in {"none", "more"}]
            return Page(intents=tuple(intent(name) for name in names), more="more" in rest)
    return intent(text.removesuffix(" again"), again)


def intent(text: str, replayed=False) -> IntentSeen:
    """`other` is an intent of another order; `succeeded:300:100` = 300 captured, 100 of them refunded."""
    if text == "other":
        return IntentSeen("pi_other", Status.SUCCEEDED, 900, captured=900, tags=OTHER)
    name, *numbers = text.split(":")
    status = Status(name)
    captured, refunded = (
        (int(number) for number in [*numbers, "500", "0"][:2]) if len(numbers) != 1 else (int(numbers[0]), 0)
    )
    return IntentSeen(
        "pi",
        status,
        500,
        capturable=500 if status is Status.REQUIRES_CAPTURE else 0,
        captured=captured if status is Status.SUCCEEDED else 0,
        refunded=refunded if status is Status.SUCCEEDED else 0,
        tags=TAGS,
        decline="no-money" if status is Status.REQUIRES_PAYMENT_METHOD else "",
        action="https://bank" if status is Status.REQUIRES_ACTION else "",
        replayed=replayed,
    )


def refund(status: str, ask: PayAsk, replayed=False) -> RefundSeen:
    """`other` is a refund by another name."""
    if status == "other":
        return RefundSeen("re_other", "succeeded", 1, TAGS._replace(refund="other"))
    return RefundSeen("re", status, ask.amount, TAGS._replace(refund=ask.key), replayed)
