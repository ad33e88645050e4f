"""Calls a book as the provider's SDK would, at times of its own."""

import itertools
import json
from typing import Any, NamedTuple

import stripe

from adapters.stand_in.behaviour import Behaviour
from adapters.stand_in.book import Book, Fate, Request

START_MS = 1_800_000_000_000
QUIET = Behaviour(reads_per_s=0, writes_per_s=0)
VISA = "pm_card_visa"
CHALLENGE = "pm_card_authenticationRequired"


class Told(NamedTuple):
    """What the caller got. `body` is empty without an answer."""

    fate: Fate
    status: int
    body: dict[str, Any]
    headers: dict[str, str]
    delay_ms: int

    @property
    def id(self) -> str:
        return self.body["id"]

    @property
    def error(self) -> dict[str, Any]:
        return self.body["error"]

    @property
    def replayed(self) -> bool:
        return self.headers.get("Idempotent-Replayed") == "true"


class Caller:
    def __init__(self, behaviour: Behaviour = QUIET, **options: Any) -> None:
        self.now_ms = START_MS
        self.book = Book(behaviour, **options)
        self._keys = map(str, itertools.count())

    def post(self, path: str, key: str | None = None, **form: Any) -> Told:
        """`key` None = a fresh one."""
        return self.call("POST", path, next(self._keys) if key is None else key, form)

    def get(self, path: str, **form: Any) -> Told:
        return self.call("GET", path, "", form)

    def call(self, method: str, path: str, key: str, form: dict[str, Any]) -> Told:
        flat = {name: str(value) for name, value in stripe._encode._api_encode(form)}
        outcome = self.book.receive(Request(method, f"/v1/{path}", flat, key), self.now_ms)
        if outcome.answer is None:
            return Told(outcome.fate, 0, {}, {}, outcome.delay_ms)
        status, headers, body = outcome.answer
        return Told(outcome.fate, status, json.loads(body), headers, outcome.delay_ms)

    def create(self, key: str | None = None, **changes: Any) -> Told:
        """An intent; without further words it is confirmed with a good card and waits for its capture."""
        form = {
            "amount": 1_000,
            "currency": "eur",
            "confirm": True,
            "capture_method": "manual",
            "payment_method": VISA,
            "payment_method_types": ["card"],
            "metadata": {"environment": "test", "order": "o1", "attempt": "1"},
            **changes,
        }
        return self.post("payment_intents", key, **{name: value for name, value in form.items() if value is not None})

    def status(self, intent: str) -> str:
        """As its book has it."""
        return str(self.book.shelf.intents[intent].status)

    def later(self, ms: int) -> None:
        self.now_ms += ms
