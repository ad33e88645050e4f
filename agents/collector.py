"""When this process collects garbage: hardly ever, and never by surprise.

A full collection walks every live row: with 2M rows it took 63 % of an owner's CPU, in pauses of up to 600 ms. Rows
are made of plain values and hold no cycles, so reference counts free all that matters. Cycles come from tracebacks
and from libraries, and are young. So: after a fold, collect once and freeze everything (out of any collection's
sight); then, now and then, collect only what is new, if that is little, and freeze again.
"""

import gc

EVERY_S = 5.0
NEW_MAX = 50_000
"""Collecting so many new objects takes about 3 ms. More means rows in bulk: they are frozen unseen."""


def begin() -> None:
    """No collection from here on but those asked for."""
    gc.disable()
    gc.collect()
    gc.freeze()


def tidy() -> int:
    """Every EVERY_S: collect the few new objects and freeze what lives. Returns how many were unreachable."""
    found = gc.collect(0) if gc.get_count()[0] <= NEW_MAX else 0
    gc.freeze()
    return found
