"""The watermark below which every fact is published, for owners and for those who may have to publish again."""

from hypothesis import given
from hypothesis import strategies as st

from streams.outbox import Outbox


def filled(*silent: bool) -> Outbox:
    outbox = Outbox()
    for offset, quiet in enumerate(silent):
        outbox.accepted(offset, 2, b"", offset, silent=quiet)
    return outbox


def pending(outbox: Outbox) -> list[int]:
    return [record.ledger_offset for record in outbox.unpublished()]


def test_the_watermark_stops_before_the_first_gap():
    outbox = filled(False, False, False, False)
    for offset, watermark in ((1, -1), (3, -1), (0, 1), (2, 3)):
        outbox.acked(offset)
        assert outbox.watermark == watermark


def test_records_without_facts_move_the_watermark_only_when_nothing_waits_before_them():
    assert filled(True, True).watermark == 1
    outbox = filled(False, True)
    assert outbox.watermark == -1
    outbox.acked(0)
    assert outbox.watermark == 0
    assert outbox.newest == 0


def test_what_an_accepted_record_says_is_published_need_not_be_published_again():
    outbox = filled(False, False, False)
    outbox.recorded(1)
    assert pending(outbox) == [2]
    outbox.recorded(0)
    assert outbox.watermark == 1


def test_a_new_owner_waits_for_its_own_acks():
    outbox = filled(False, False)
    outbox.acked(1)
    assert pending(outbox) == [0, 1]
    outbox.acked(0)
    assert outbox.watermark == 0


def test_it_knows_since_when_the_oldest_waits():
    outbox = filled(False, False)
    assert outbox.waits_since_ms() == 0
    outbox.acked(0)
    assert outbox.waits_since_ms() == 1
    outbox.acked(1)
    assert outbox.waits_since_ms() is None


@given(st.lists(st.booleans(), max_size=30), st.data())
def test_in_whatever_order_acks_come_nothing_unacked_lies_below_the_watermark(silent, data):
    outbox = filled(*silent)
    waiting = {offset for offset, quiet in enumerate(silent) if not quiet}
    for offset in data.draw(st.permutations(sorted(waiting))):
        outbox.acked(offset)
        waiting.discard(offset)
        assert all(left > outbox.watermark for left in waiting)
    assert len(outbox) == 0
