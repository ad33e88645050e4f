"""Every interleaving of what may happen to one order: each ends charged and sold, or uncharged and free.

Worlds that are alike are gone on from once, so that some 100,000 steps stand for all paths through them.
"""

import pytest

from domain.order_row import Order, Stub
from domain.orders import Phase
from domain.reservation import RowState
from tests.properties.order_world import ALIVE, PRICE, Luck, Machine, World

NO_LUCK = Luck(*[0] * len(Luck._fields))
STORIES = {
    "an answer is lost, a webhook comes": ("born", Luck(hints=1, repeats=0, methods=0), 30_000),
    "webhooks come twice and late, and another card": ("born", Luck(expiries=0, rivals=0, losses=0, repeats=0), 30_000),
    "messages come twice": ("born", Luck(rivals=0, hints=0, methods=0), 30_000),
    "two lines": ("placed", Luck(hints=0, methods=0, repeats=0), 60_000),
    "what can be had of two lines": ("partial", Luck(hints=0, methods=0, repeats=0, declines=0), 60_000),
}
"""Who starts it, how often what may happen, and how many steps there are at least."""


def explore(machine: Machine, luck: Luck) -> int:
    """Go everywhere; AssertionError at the first world that must not be. How many steps there are."""
    first = machine.start._replace(luck=luck)
    open_, steps, ends = [first], 0, []
    came_from: dict[World, list[World]] = {first: []}
    while open_:
        world = open_.pop()
        assert sum(intent in ALIVE for intent in world.intents) <= 1, f"two attempts have money: {world}"
        if machine.quiet(world):
            ends.append(world)
            judge(machine, world)
        for after in machine.moves(world):
            steps += 1
            if after not in came_from:
                came_from[after] = []
                open_.append(after)
            came_from[after].append(world)
    leads_to_an_end = set(ends)
    while ends:
        earlier = [world for world in came_from[ends.pop()] if world not in leads_to_an_end]
        leads_to_an_end.update(earlier)
        ends += earlier
    assert leads_to_an_end == set(came_from), "some world never ends"
    return steps


def judge(machine: Machine, world: World) -> None:
    """Nothing will happen any more by itself."""
    row, held = machine.row(world), machine.held(world)
    charged = world.intents.count("K")
    assert "A" not in world.intents, f"authorised for ever: {world}"
    if isinstance(row, Order):
        assert row.phase in {Phase.CONFIRMED, Phase.SHIPPED}, f"stuck: {world} {row}"
        sold = held.count(RowState.SOLD)
        assert RowState.HELD not in held, f"held for ever: {world} {row}"
        assert sold == len(machine.lines) or (machine.partial and sold), f"not sold: {world} {row}"
        assert (charged, row.captured) == (1, PRICE * sold), f"not charged, or for something else: {world} {row}"
    else:
        assert row is None or isinstance(row, Stub)
        assert not charged, f"charged for nothing: {world} {row}"
        assert not {RowState.HELD, RowState.SOLD} & set(held), f"not free: {world} {row}"


@pytest.mark.slow
@pytest.mark.parametrize("story", STORIES)
def test_every_interleaving_ends_charged_and_sold_or_uncharged_and_free(story):
    start, luck, least = STORIES[story]
    assert explore(Machine(start), luck) > least


def test_an_order_to_which_nothing_happens_is_confirmed():
    machine = Machine("placed")
    explore(machine, NO_LUCK)
    assert any(isinstance(row := state.get(b"o1".ljust(16, b".")), Order) and row.phase is Phase.CONFIRMED
               for state in machine.orders.states)  # fmt: skip
