"""Returns and refunds by their keys: the same key again is answered as the first time, with other content it is not."""

from domain.order_row import NO_GOODS, Known, Movement
from domain.order_step import Now, Step
from domain.orders import Refund, TakeBack
from domain.outcomes import REPEATED, Outcome


def _same(movement: Movement, command: TakeBack | Refund) -> bool:
    if isinstance(command, Refund):
        return movement.line == NO_GOODS and movement.amount == command.amount
    return movement[1:4] == (command.line, command.quantity, command.restock)


def seen_move(_: Known, command: TakeBack | Refund, now: Now) -> bool:
    """This very movement was accepted before."""
    movement = now.moves.get(command.key)
    return movement is not None and _same(movement, command)


def seen_otherwise(_: Known, command: TakeBack | Refund, now: Now) -> bool:
    """The key was used for another movement."""
    return command.key in now.moves


def same_move(_: Known, __: TakeBack | Refund, ___: Now) -> Step:
    """The first answer again. Refusals are not remembered: the key may be used again."""
    return Step(Outcome.ACCEPTED | REPEATED)
