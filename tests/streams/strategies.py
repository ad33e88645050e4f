"""Hypothesis strategies for what goes over the wire, from the vocabulary's own type hints."""

from typing import get_type_hints

from hypothesis import strategies as st

from domain.stock import CHANGES, COMMANDS, Line, Repeat, Totals
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


commands = st.one_of(*(instances(cls) for cls in (*COMMANDS.values(), *PROTOCOL_COMMANDS.values())))
changes = st.one_of(*(instances(cls) for cls in CHANGES.values()))
repeats = instances(Repeat)
totals = instances(Totals)
