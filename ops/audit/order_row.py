"""What the auditor keeps of an order: written from docs/journey.md, a plain object a living or ended order."""

FINAL = frozenset({"rejected", "expired", "cancelled", "refunded"})
RESTING = frozenset({"confirmed", "shipped", "delivered"})
CLOSED_LINES = frozenset("xu")
CLOSED_MONEY = frozenset("XF")


class OrderRow:
    """One order. `letters`: a state a line; `lines`: (line, sku, quantity) and, once granted, the unit price."""

    __slots__ = (
        "amount",
        "attempt",
        "authorised",
        "captured",
        "changed_at",
        "customer",
        "deadline_ms",
        "intent",
        "letters",
        "lines",
        "partial",
        "pay",
        "phase",
        "prices",
        "public",
        "refunded",
        "returned",
        "sequence",
        "version",
    )

    def __init__(self, customer: bytes, lines: tuple[tuple[int, str, int], ...], *, partial: bool) -> None:
        self.customer = customer
        self.lines = lines
        self.partial = partial
        self.prices: dict[int, int] = {}
        self.returned: dict[int, int] = {}
        self.letters = "w" * len(lines)
        self.phase = ""
        self.public = ""
        self.pay = "N"
        self.version = self.sequence = self.attempt = 0
        self.amount = self.authorised = self.captured = self.refunded = 0
        self.deadline_ms = 0
        self.intent = ""
        self.changed_at = -1
        """Ledger offset of the last change."""

    @property
    def is_final(self) -> bool:
        """Nothing will ever change."""
        return self.phase in FINAL

    @property
    def is_settled(self) -> bool:
        """Nothing is under way: final, or sold and resting."""
        return self.phase in FINAL or self.phase in RESTING

    def worth(self) -> int:
        """What the lines that are not closed cost, at the granted prices."""
        return sum(
            quantity * self.prices.get(line, 0)
            for (line, _, quantity), letter in zip(self.lines, self.letters, strict=True)
            if letter != "x"
        )
