"""Marks in front of a table: most keys that are asked for are new, and one byte says so before any search.

A mark's place is the key's hash (Python's) & mask. With a quarter of the marks set, three of four new keys are known
to be new without a search. Doubling repeats the marks once (a key's place keeps its low bits): one copy of memory,
10 ms for the largest, 32 MiB. Repeated marks are false ones for keys to come: after five doublings every other new
key is searched for. So tables start with more room than most need.
"""

MARKS_PER_KEY = 4


def room_for(keys: int, marks: bytearray) -> tuple[bytearray, int]:
    """The marks, with room for this many keys, and their mask."""
    while len(marks) < keys * MARKS_PER_KEY:
        marks *= 2
    return marks, len(marks) - 1
