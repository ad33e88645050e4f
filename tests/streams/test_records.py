"""Records, byte by byte: what is encoded is decoded, and what is not ours is undecodable, never something else."""

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.roles import Role
from domain.stock import Adjust, Reserve
from streams.protocol import Pin, Tick, Yield
from streams.records import (
    BATCH_BYTES_MAX,
    BATCH_COMMANDS_MAX,
    CLAIM,
    DECIDED,
    DIGEST_BYTES,
    EMPTY_DETAILS,
    GENESIS,
    LOG_ID_BYTES,
    NONCE_BYTES,
    RULING,
    Claim,
    Decided,
    Fact,
    Genesis,
    LedgerRecord,
    UndecodableError,
    command_digest,
    decode_claim,
    decode_decided,
    decode_fact,
    decode_genesis,
    decode_genesis_body,
    decode_ledger,
    digest,
    encode_body,
    encode_fact,
    encode_genesis,
    encode_ledger,
)
from streams.stock_records import BATCHES
from tests.streams.strategies import commands, numbers, texts

LOG_ID = b"L" * LOG_ID_BYTES
digests = st.binary(min_size=DIGEST_BYTES, max_size=DIGEST_BYTES)
nonces = st.binary(min_size=NONCE_BYTES, max_size=NONCE_BYTES)
geneses = st.builds(Genesis, st.binary(max_size=20), numbers, numbers, digests)
claims = st.builds(Claim, texts, texts, texts, st.booleans(), texts)
decisions = st.builds(
    Decided,
    numbers,
    digests,
    numbers,
    texts,
    numbers,
    st.binary(max_size=500),
    st.none() | texts,
    st.none() | texts,
    st.just(EMPTY_DETAILS),
    st.none() | st.tuples(texts, texts),
)
headers = st.builds(
    LedgerRecord,
    st.sampled_from([GENESIS, CLAIM, DECIDED, RULING]),
    st.integers(0, 2**32 - 1),
    nonces,
    st.integers(-1, 2**63 - 1),
    digests,
    st.binary(max_size=100),
)


@given(headers)
def test_a_ledger_record_comes_back_as_it_was(record):
    assert decode_ledger(encode_ledger(record)) == record


@given(geneses)
def test_a_genesis_comes_back_as_it_was(genesis):
    assert decode_genesis(encode_genesis(genesis)) == genesis
    assert decode_genesis_body(encode_body(genesis)) == genesis


@given(claims)
def test_a_claim_comes_back_as_it_was(claim):
    assert decode_claim(encode_body(claim)) == claim


@given(decisions)
def test_a_decision_comes_back_as_it_was(decided):
    assert decode_decided(encode_body(decided)) == decided


@given(numbers, st.binary(max_size=100))
def test_a_fact_comes_back_as_it_was(offset, body):
    assert decode_fact(encode_fact(DECIDED, offset, body)) == Fact(DECIDED, offset, body)


@given(st.lists(commands, min_size=1, max_size=20), st.sampled_from(Role), texts, numbers)
def test_a_batch_comes_back_with_its_commands_in_order(wanted, role, sender, number):
    batch = BATCHES.decode(BATCHES.encode(LOG_ID, role, sender, number, wanted))
    assert batch.commands() == wanted
    assert batch[:5] == (LOG_ID, role, sender, number, b"")


DECODERS = [
    decode_genesis,
    decode_genesis_body,
    decode_claim,
    decode_decided,
    decode_ledger,
    decode_fact,
    BATCHES.decode,
]


@given(st.sampled_from(DECODERS), st.binary(max_size=200))
@example(decode_ledger, b"")
@example(decode_fact, b"")
@example(BATCHES.decode, b"")
@example(BATCHES.decode, b"\x01\x01")
def test_rubbish_is_undecodable_and_nothing_worse(decode, value):
    try:
        decode(value)
    except UndecodableError:
        return
    assert decode is not BATCHES.decode, "no rubbish is a batch of commands"


@given(st.lists(commands, min_size=1, max_size=5), st.data())
def test_a_damaged_batch_is_undecodable_or_a_batch_and_nothing_worse(wanted, data):
    value = bytearray(BATCHES.encode(LOG_ID, Role.GATEWAY, "g", 1, wanted))
    value[data.draw(st.integers(0, len(value) - 1))] ^= data.draw(st.integers(1, 255))
    del value[data.draw(st.integers(len(value) // 2, len(value))) :]
    try:
        batch = BATCHES.decode(bytes(value))
    except UndecodableError:
        return
    assert 1 <= len(batch.commands()) <= BATCH_COMMANDS_MAX


def test_a_text_that_is_not_utf_8_is_undecodable():
    value = BATCHES.encode(LOG_ID, Role.OPS, "sender", 1, [Adjust("SKU", 1, "reference", "")])
    with pytest.raises(UndecodableError):
        BATCHES.decode(value.replace(b"SKU", b"\xff\xff\xff"))


@pytest.mark.parametrize(("count", "good"), [(0, False), (1, True), (500, True), (501, False)])
def test_a_batch_has_one_to_five_hundred_commands(count, good):
    value = BATCHES.encode(LOG_ID, Role.GATEWAY, "g", 1, [Tick()] * count)
    if good:
        assert len(BATCHES.decode(value).commands()) == count
    else:
        with pytest.raises(UndecodableError, match=r"commands, not 1\.\.500"):
            BATCHES.decode(value)


@pytest.mark.parametrize("over", [0, 1])
def test_a_batch_has_at_most_64_kib(over):
    def batch(carried: int) -> bytes:
        reserve = Reserve(bytes(17), "A", bytes(8), 1, 0, bytes(8), -1, bytes(carried))
        return BATCHES.encode(LOG_ID, Role.GATEWAY, "g", 1, [reserve])

    value = batch(BATCH_BYTES_MAX - len(batch(300)) + 300 + over)
    assert len(value) == BATCH_BYTES_MAX + over
    if over:
        with pytest.raises(UndecodableError, match="more than 65536"):
            BATCHES.decode(value)
    else:
        assert BATCHES.decode(value)


@pytest.mark.parametrize("change", [{0: 9}, {1: 9}], ids=["kind", "format version"])
def test_another_kind_or_format_version_is_undecodable(change):
    record = encode_ledger(LedgerRecord(DECIDED, 1, bytes(8), 0, bytes(16), b""))
    batch = BATCHES.encode(LOG_ID, Role.GATEWAY, "g", 1, [Tick()])
    genesis = encode_genesis(Genesis(LOG_ID, 1, 0))
    for decode, value in ((decode_ledger, record), (BATCHES.decode, batch), (decode_genesis, genesis)):
        damaged = bytearray(value)
        for at, byte in change.items():
            damaged[at] = byte
        with pytest.raises(UndecodableError):
            decode(bytes(damaged))
    fact = bytearray(encode_fact(DECIDED, 1, b""))
    fact[1] = 9
    with pytest.raises(UndecodableError):
        decode_fact(bytes(fact))


def test_a_role_that_nobody_has_is_undecodable():
    value = b"\x01\x02" + msgspec.msgpack.encode((LOG_ID, 9, "g", 1, b"", [(100, [()])]))
    with pytest.raises(UndecodableError):
        BATCHES.decode(value)


@given(st.lists(st.binary(max_size=20), max_size=4))
def test_a_digest_is_over_the_parts_as_one_text(parts):
    assert digest(*parts) == digest(b"".join(parts))
    assert len(digest(*parts)) == DIGEST_BYTES


def test_a_commands_digest_binds_its_bytes_and_its_time():
    assert len({command_digest(1, b"a"), command_digest(2, b"a"), command_digest(1, b"b")}) == 3


def test_the_wire_numbers_of_the_protocols_commands_are_for_ever():
    value = BATCHES.encode(LOG_ID, Role.WORKER, "w", 1, [Tick(), Yield("w2", 3, 4), Pin("w")])
    runs = msgspec.msgpack.decode(value[2:])[5]
    assert runs == [[100, [[]]], [101, [["w2", 3, 4]]], [102, [["w"]]]]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (encode_fact(DECIDED, 258, b"x"), "0202000000000000010278"),
        (encode_genesis(Genesis(b"L", 4, 1)), "000294c4014c0401c400"),
        (
            encode_ledger(LedgerRecord(CLAIM, 1, b"NONCENON", 2, b"D" * 16, b"x")),
            "0102000000014e4f4e43454e4f4e0000000000000002" + "44" * 16 + "78",
        ),
    ],
)
def test_the_format_on_the_wire_is_this(value, text):
    """A change of it is a new format version: old logs must be read for ever."""
    assert value.hex() == text
