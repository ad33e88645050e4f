"""R1 to R6, one ledger a test: which records count, read as a table of verdicts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.outcomes import InvariantViolatedError, Outcome
from streams.acceptance import RING, Acceptance, Verdict, WrongLogError
from streams.records import (
    CLAIM,
    DECIDED,
    DIGEST_BYTES,
    EMPTY_DETAILS,
    GENESIS,
    NONCE_BYTES,
    RULING,
    Claim,
    Decided,
    Genesis,
    LedgerRecord,
    digest,
    encode_body,
    encode_ledger,
)

A = b"A" * NONCE_BYTES
B = b"B" * NONCE_BYTES
GRANTED = bytes([Outcome.GRANTED])
SOLD_OUT = bytes([Outcome.SOLD_OUT])
YIELDED = bytes([Outcome.YIELDED])
NOT_YIELDED = bytes([Outcome.NOT_YIELDED])


class Ledger:
    """Writes records, also such as no honest owner writes, and tells what a reader makes of each."""

    def __init__(self) -> None:
        self.reader = Acceptance()
        body = encode_body(Genesis(b"L" * 16, 4, 0, b"c" * DIGEST_BYTES))
        self.judge(LedgerRecord(GENESIS, 0, bytes(NONCE_BYTES), 0, digest(body), body))

    def judge(self, record: LedgerRecord, *, lawful: bool = True) -> Verdict:
        value = encode_ledger(record)
        verdict, _ = self.reader.judge(self.reader.offset + 1, record, value, lambda _: lawful)
        return verdict

    def claim(self, epoch: int, nonce: bytes, *, waiting: bool = False) -> Verdict:
        body = encode_body(Claim("w", "w@1", "code", waiting, "test"))
        return self.judge(LedgerRecord(CLAIM, epoch, nonce, 0, bytes(DIGEST_BYTES), body))

    def decide(
        self,
        src: int,
        epoch: int = 1,
        nonce: bytes = A,
        *,
        outcomes: bytes = GRANTED,
        clk: int = 1000,
        yielded_to: str | None = None,
        after: bytes | None = None,
        kind: int = DECIDED,
        lawful: bool = True,
        published: int = 0,
        pin: str | None = None,
    ) -> Verdict:
        """`after`: the digest that the record chains to; the reader's own unless given."""
        decided = Decided(src, b"d" * DIGEST_BYTES, clk, "g", src, outcomes, yielded_to, pin, EMPTY_DETAILS)
        body = encode_body(decided)
        chained = digest(self.reader.digest if after is None else after, body)
        return self.judge(LedgerRecord(kind, epoch, nonce, published, chained, body), lawful=lawful)


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def owned(ledger) -> Ledger:
    """Owned by A at epoch 1, one record decided."""
    assert ledger.claim(1, A) is Verdict.CLAIMED
    assert ledger.decide(1) is Verdict.ACCEPTED
    return ledger


def head(ledger) -> tuple:
    reader = ledger.reader
    return reader.epoch, reader.nonce, reader.src, reader.digest, reader.clk, reader.yielded_to


@pytest.mark.parametrize(
    ("epoch", "verdict"), [(0, "claim-lost"), (1, "claim-lost"), (2, "claimed"), (3, "claim-lost")]
)
def test_r1_a_claim_counts_if_it_is_of_the_next_epoch(owned, epoch, verdict):
    assert owned.claim(epoch, B).value == verdict
    assert owned.reader.epoch == (2 if verdict == "claimed" else 1)


def test_r1_of_two_claims_for_one_epoch_the_first_in_the_log_counts(owned):
    assert owned.claim(2, A) is Verdict.CLAIMED
    before = head(owned)
    assert owned.claim(2, B) is Verdict.CLAIM_LOST
    assert head(owned) == before


def test_r1_an_undecodable_claim_takes_nothing(owned):
    before = head(owned)
    assert owned.judge(LedgerRecord(CLAIM, 2, B, 0, bytes(DIGEST_BYTES), b"\xc1")) is Verdict.BROKEN
    assert head(owned) == before


@pytest.mark.parametrize(("epoch", "nonce"), [(1, A), (1, B), (0, A), (9, B)])
def test_r2_what_was_decided_is_a_duplicate_of_whatever_epoch(owned, epoch, nonce):
    before = head(owned)
    assert owned.decide(1, epoch, nonce) is Verdict.DUPLICATE
    assert head(owned) == before


def test_r2_another_body_for_what_was_decided_is_a_divergence_without_effect(owned):
    before = head(owned)
    assert owned.decide(1, 1, A, outcomes=SOLD_OUT) is Verdict.DIVERGENT
    assert head(owned) == before


def test_r2_a_yield_is_decided_otherwise_by_another_epoch_and_that_is_no_divergence(ledger):
    ledger.claim(1, A)
    assert ledger.decide(1, outcomes=NOT_YIELDED) is Verdict.ACCEPTED
    assert ledger.decide(1, outcomes=YIELDED, yielded_to="w2") is Verdict.DUPLICATE


def test_r2_behind_the_ring_a_duplicate_is_not_compared_any_more(ledger):
    ledger.claim(1, A)
    for src in range(1, RING + 2):
        assert ledger.decide(src) is Verdict.ACCEPTED
    assert ledger.decide(2, outcomes=SOLD_OUT) is Verdict.DIVERGENT
    assert ledger.decide(1, outcomes=SOLD_OUT) is Verdict.DUPLICATE


def test_r3_decisions_count_in_order_of_src(owned):
    assert [owned.decide(src) for src in (2, 3, 4)] == [Verdict.ACCEPTED] * 3
    assert owned.reader.src == 4


@pytest.mark.parametrize(
    "fault",
    [{"src": 3}, {"src": 2, "after": b"x" * DIGEST_BYTES}, {"src": 2, "lawful": False}, {"src": 2, "clk": 999}],
    ids=["src not the next", "chained to something else", "totals against the fold", "log time goes back"],
)
def test_r3_and_r6_what_is_the_owners_but_broken_does_not_count_and_the_right_one_still_does(owned, fault):
    before = head(owned)
    assert owned.decide(**fault) is Verdict.BROKEN
    assert head(owned) == before
    assert owned.decide(2) is Verdict.ACCEPTED


def test_r3_after_a_yield_took_effect_nothing_more_of_its_epoch_counts(owned):
    assert owned.decide(2, outcomes=YIELDED, yielded_to="w2") is Verdict.ACCEPTED
    before = head(owned)
    assert owned.decide(3) is Verdict.STALE
    assert head(owned) == before
    assert owned.claim(2, B) is Verdict.CLAIMED
    assert owned.decide(3, 2, B) is Verdict.ACCEPTED


def test_r3_a_ruling_counts_as_a_decision_does(owned):
    assert owned.decide(2, outcomes=bytes([Outcome.FAULT]), kind=RULING) is Verdict.ACCEPTED
    assert owned.decide(3, 1, B, kind=RULING) is Verdict.STALE


@pytest.mark.parametrize(
    ("epoch", "nonce"), [(1, A), (2, A)], ids=["the epoch before", "the same epoch, another nonce"]
)
def test_r4_what_a_former_or_would_be_owner_writes_is_stale(owned, epoch, nonce):
    owned.claim(2, B)
    before = head(owned)
    assert owned.decide(2, epoch, nonce) is Verdict.STALE
    assert head(owned) == before
    assert owned.decide(2, 2, B) is Verdict.ACCEPTED


def test_r4_a_claim_is_chained_in_so_a_fenced_owners_record_chains_to_nothing(owned):
    chained_before_the_claim = owned.reader.digest
    owned.claim(2, B)
    assert owned.decide(2, 2, B, after=chained_before_the_claim) is Verdict.BROKEN


def test_r5_a_newer_epoch_without_its_claim_has_no_effect(owned):
    before = head(owned)
    assert owned.decide(2, 2, B) is Verdict.AHEAD
    assert head(owned) == before


@pytest.mark.parametrize(
    ("epoch", "nonce", "verdict"),
    [(1, A, Verdict.BROKEN), (0, A, Verdict.STALE), (1, B, Verdict.STALE), (2, B, Verdict.AHEAD)],
)
def test_r6_a_decision_that_cannot_be_decoded_does_not_count(owned, epoch, nonce, verdict):
    before = head(owned)
    assert owned.judge(LedgerRecord(DECIDED, epoch, nonce, 0, bytes(DIGEST_BYTES), b"\xc1")) is verdict
    assert head(owned) == before


def test_a_second_genesis_has_no_effect(owned):
    before = head(owned)
    body = encode_body(Genesis(b"M" * 16, 4, 0, b"c" * DIGEST_BYTES))
    assert owned.judge(LedgerRecord(GENESIS, 0, bytes(NONCE_BYTES), 0, digest(body), body)) is Verdict.BROKEN
    assert head(owned) == before


def test_over_a_hole_nothing_is_folded(owned):
    body = encode_body(Claim("w", "w@1", "code", False, "test"))
    record = LedgerRecord(CLAIM, 2, B, 0, bytes(DIGEST_BYTES), body)
    with pytest.raises(InvariantViolatedError, match="ledger offset 9 after 2"):
        owned.reader.judge(9, record, encode_ledger(record), lambda _: True)


@pytest.mark.parametrize("kind", [CLAIM, DECIDED])
def test_a_ledger_without_genesis_is_no_ledger(kind):
    body = encode_body(Claim("w", "w@1", "code", False, "test"))
    record = LedgerRecord(kind, 1, A, 0, digest(body), body)
    with pytest.raises(WrongLogError, match="topics apply"):
        Acceptance().judge(0, record, encode_ledger(record), lambda _: True)


def test_r2_a_ruling_is_not_compared_with_what_a_fenced_owner_decided(owned):
    owned.claim(2, B)
    assert owned.decide(2, 2, B, outcomes=bytes([Outcome.FAULT]), kind=RULING) is Verdict.ACCEPTED
    assert owned.decide(3, 2, B) is Verdict.ACCEPTED
    assert owned.decide(2, 1, A) is Verdict.DUPLICATE
    assert owned.decide(3, 1, A, outcomes=SOLD_OUT) is Verdict.DUPLICATE


def test_r2_who_decided_before_a_later_ruling_goes_on_from_another_state_and_that_is_no_divergence(owned):
    """Its decision of what is ruled later is stale before the ruling; only what follows is a duplicate."""
    owned.claim(2, B)
    assert owned.decide(2, 1, A) is Verdict.STALE
    assert owned.decide(2, 2, B, outcomes=bytes([Outcome.FAULT]), kind=RULING) is Verdict.ACCEPTED
    assert owned.decide(3, 2, B) is Verdict.ACCEPTED
    assert owned.decide(3, 1, A, outcomes=SOLD_OUT) is Verdict.DUPLICATE


def test_r2_who_ruled_without_effect_goes_on_from_another_state_and_that_is_no_divergence(owned):
    owned.claim(2, B)
    assert owned.decide(2, 1, A, kind=RULING) is Verdict.STALE
    assert owned.decide(2, 2, B) is Verdict.ACCEPTED
    assert owned.decide(3, 2, B) is Verdict.ACCEPTED
    assert owned.decide(3, 1, A, outcomes=SOLD_OUT) is Verdict.DUPLICATE


def test_r2_after_a_ruling_that_both_have_folded_a_divergence_is_one(owned):
    assert owned.decide(2, outcomes=bytes([Outcome.FAULT]), kind=RULING) is Verdict.ACCEPTED
    owned.claim(2, B)
    assert owned.decide(3, 2, B) is Verdict.ACCEPTED
    assert owned.decide(3, 1, A, outcomes=SOLD_OUT) is Verdict.DIVERGENT


def test_claims_after_a_yield_or_with_nothing_waiting_park_nothing(owned):
    owned.decide(2, outcomes=YIELDED, yielded_to="")
    owned.claim(2, B, waiting=True)
    owned.claim(3, A, waiting=False)
    assert owned.reader.claims_here == 0
    owned.claim(4, B, waiting=True)
    assert owned.reader.claims_here == 1


def test_three_claims_that_found_the_same_record_waiting_are_counted_until_one_decides(owned):
    for epoch in (2, 3, 4):
        owned.claim(epoch, B, waiting=True)
    assert owned.reader.claims_here == 3
    owned.decide(2, 4, B)
    assert owned.reader.claims_here == 0


def test_the_watermark_never_goes_back(owned):
    owned.decide(2, published=7)
    owned.decide(3, published=4)
    assert owned.reader.published == 7


def test_a_pin_stays_until_the_next(owned):
    owned.decide(2, pin="w2")
    owned.decide(3)
    assert owned.reader.pin == "w2"
    owned.decide(4, pin="")
    assert owned.reader.pin == ""


STEPS = st.one_of(
    st.tuples(st.just("claim"), st.integers(1, 4), st.sampled_from([A, B])),
    st.tuples(st.just("decide"), st.integers(1, 5), st.integers(1, 4), st.sampled_from([A, B]), st.booleans()),
)


@given(st.lists(STEPS, max_size=40))
def test_whatever_is_written_every_src_is_accepted_once_in_order_by_the_owner_of_its_time(steps):
    ledger = Ledger()
    srcs = []
    for step in steps:
        before = ledger.reader.epoch, ledger.reader.nonce
        if step[0] == "claim":
            accepted = ledger.claim(*step[1:]) is Verdict.CLAIMED
            assert accepted == (step[1] == before[0] + 1)
            continue
        _, src, epoch, nonce, chained = step
        after = None if chained else bytes(DIGEST_BYTES)
        if ledger.decide(src, epoch, nonce, after=after) is Verdict.ACCEPTED:
            assert chained
            assert (epoch, nonce) == before
            srcs.append(src)
    assert srcs == list(range(1, len(srcs) + 1))


def test_a_fork_goes_its_own_way(owned):
    fork = owned.reader.fork()
    owned.decide(2)
    assert (fork.src, owned.reader.src) == (1, 2)
    assert fork.ring[2] != owned.reader.ring[2]
