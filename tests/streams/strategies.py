"""Hypothesis strategies for what goes over the wire, from the vocabulary's own type hints."""

from typing import get_type_hints

from hypothesis import strategies as st

from domain.ids import CUSTOMER_BYTES, FINGERPRINT_BYTES, HOLD_ID_BYTES
from domain.stock import CHANGES, COMMANDS, Granted, Line, Refused, Repeat, Reserve, Totals
from streams.protocol import PROTOCOL_COMMANDS

numbers = st.integers(0, 2**63 - 1)
texts = st.text(max_size=20)
FIELDS = {
    int: st.integers(-(2**63), 2**63 - 1),
    str: texts,
    bytes: st.binary(max_size=40),
    bool: st.booleans(),
}


def instances(cls: type) -> st.SearchStrategy:
    """Any values of the right types."""
    fields = {
        name: st.lists(instances(Line), max_size=3).map(tuple) if name == "lines" else FIELDS[hint]
        for name, hint in get_type_hints(cls).items()
    }
    return st.builds(cls, **fields)


WIDTHS = {"hold": HOLD_ID_BYTES, "customer": CUSTOMER_BYTES, "fingerprint": FINGERPRINT_BYTES}


def fitting(cls: type) -> st.SearchStrategy:
    """Instances whose keys have the width that columns take; few of a kind differ in what is said once."""
    known = {name: st.binary(min_size=width, max_size=width) for name, width in WIDTHS.items()}
    known |= {
        "sku": st.sampled_from(["a", "b"]),
        "outcome": st.integers(0, 255),
        "carried": st.sampled_from([b"", b"x"]),
    }
    fields = {name: known[name] if name in known else FIELDS[hint] for name, hint in get_type_hints(cls).items()}
    return st.builds(cls, **fields)


in_columns = st.one_of(fitting(Granted), fitting(Refused))
commands = st.one_of(fitting(Reserve), *(instances(cls) for cls in (*COMMANDS.values(), *PROTOCOL_COMMANDS.values())))
changes = st.one_of(in_columns, *(instances(cls) for cls in CHANGES.values()))
repeats = instances(Repeat)
totals = instances(Totals)
