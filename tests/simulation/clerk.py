"""The operator where there are orders: ships, delivers, takes back, refunds, settles what nobody answers."""

from typing import TYPE_CHECKING

from domain.orders import ALL_LINES, Cancel, Deliver, Pay, Refund, Settle, Ship, TakeBack
from tests.simulation.operator import Operator

if TYPE_CHECKING:
    from tests.simulation.journey import Journey
    from tests.simulation.shopper import Wanted

LOOK_MS = 400
SETTLED_OF = {
    Pay.VOIDING: {"voided", "captured", "refunded"},
    Pay.CAPTURING: {"voided", "captured"},
    Pay.REFUNDING: {"refunded"},
}
"""What an operator may say while this is asked for."""


class Clerk(Operator):
    """Its wishes come twice, early and late; what does not fit is refused."""

    world: "Journey"

    def plan(self) -> None:
        super().plan()
        if self.world.trade.settled:
            self.later(LOOK_MS, self._look)

    def _look(self) -> None:
        """At orders that wait for the provider, and at the provider."""
        world, rng = self.world, self.world.rng
        for part in world.orders:
            for order, row in part.referee.rows.rows.items():
                if row.pay in SETTLED_OF and rng.random() < world.trade.settled:
                    found = world.provider.truth(world.text(order), row.attempt)
                    if found in SETTLED_OF[row.pay]:
                        world.count(f"settled: {found}")
                        self.soon(rng.randint(0, 200), part, Settle(order, "clerk", "looked up", found))
        if world.faulty:
            self.later(LOOK_MS, self._look)

    def serve(self, wanted: "Wanted") -> None:
        """Plan what is wished for one order."""
        rng, trade, order, home = self.world.rng, self.world.trade, wanted.order, wanted.home
        if rng.random() < trade.shipped:
            at_ms = rng.randint(1000, 9000)
            line = ALL_LINES if rng.random() < 0.7 else rng.choice((0, 1, 2))
            quantity = 0 if line == ALL_LINES else 1
            self.soon(at_ms, home, Ship(order, line, quantity))
            self.soon(at_ms + rng.randint(0, 500), home, Ship(order, ALL_LINES, 0))
            self.soon(at_ms + rng.randint(50, 3000), home, Deliver(order, line, quantity))
            self.soon(at_ms + rng.randint(1000, 3000), home, Deliver(order, ALL_LINES, 0))
            if rng.random() < 0.5:
                self._back(wanted, at_ms + rng.randint(1000, 5000))
        if rng.random() < 0.05:
            self.soon(rng.randint(500, 6000), home, Cancel(order, rng.randbytes(8), b""))

    def _back(self, wanted: "Wanted", at_ms: int) -> None:
        rng = self.world.rng
        for _ in range(rng.randint(1, 3)):
            key = rng.randbytes(8)
            if rng.random() < 0.6:
                line = rng.choice((ALL_LINES, ALL_LINES, 0, 1, 2))
                wish: TakeBack | Refund = TakeBack(
                    wanted.order, key, line, 0 if line == ALL_LINES else 1, rng.random() < 0.5
                )
            else:
                wish = Refund(wanted.order, key, rng.choice((1, 500, 1999, 5000)), "goodwill")
            for _ in range(rng.choice((1, 1, 2))):
                self.soon(at_ms + rng.randint(0, 1500), wanted.home, wish)
