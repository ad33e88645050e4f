"""Who follows, who stands by, who succeeds: hints from the group's members."""

import pytest
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment

from streams.plan import Plan, ask_members

P = 8


def plan(me: str, members: dict[str, set[int]] | None, known: dict[str, set[int]] | None = None) -> Plan:
    def frozen(given):
        return {name: frozenset(numbers) for name, numbers in given.items()}

    assigned = frozenset((members or {}).get(me, set()))
    return Plan(me, P, assigned, None if members is None else frozen(members), frozen(known or members or {}))


def spread(count: int) -> dict[str, set[int]]:
    return {f"w{n}@{n}": {p for p in range(P) if p % count == n} for n in range(count)}


@pytest.mark.parametrize("members", [None, {}, spread(1), spread(2), spread(4)])
def test_while_members_are_few_or_unknown_every_worker_follows_everything(members):
    assert plan("w0@0", members).followed() == frozenset(range(P))


@pytest.mark.parametrize("count", [5, 8, 12, 40])
def test_with_many_workers_two_follow_each_partition_its_owner_by_plan_and_a_standby(count):
    members = spread(count)
    followers = {name: plan(name, members).followed() for name in members}
    for number in range(P):
        following = [name for name, followed in followers.items() if number in followed]
        assert len(following) == 2
        assert any(number in members[name] for name in following)


def test_a_member_that_leaves_moves_no_standby_but_its_own():
    members = spread(12)
    before = {number: plan("w0@0", members).standby(number) for number in range(P)}
    gone = before[0]
    left = {name: numbers for name, numbers in members.items() if name != gone}
    after = {number: plan("w0@0", left).standby(number) for number in range(P)}
    assert {number for number in range(P) if before[number] != after[number]} == {
        number for number in range(P) if before[number] == gone
    }


def test_the_successor_is_the_owner_by_plan_if_that_is_somebody_else_else_a_standby():
    members = {"a@1": {0}, "b@2": {1}, "c@3": set()}
    assert plan("a@1", members).successor(1) == "b"
    assert plan("a@1", members).successor(0) in {"b", "c"}


def test_a_successor_is_named_from_what_was_known_last_while_the_group_is_in_turmoil():
    assert plan("a@1", None, known={"a@1": {0}, "b@2": {1}}).successor(0) == "b"


def test_who_is_alone_has_nobody_to_hand_over_to():
    assert plan("a@1", {"a@1": {0, 1}}).successor(0) == ""
    assert plan("a@1", None).successor(0) == ""


class Admin:
    """Answers one DescribeGroups as Kafka does."""

    def __init__(self, state: str, members: list[tuple], error: int = 0) -> None:
        self._group = (error, "g", state, "consumer", "faust", members, 0)

    async def describe_consumer_groups(self, _):
        return [type("Response", (), {"groups": [self._group]})]


def member(client_id: str, *numbers: int, raw: bytes | None = None) -> tuple:
    assignment = ConsumerProtocolMemberAssignment(0, [("plan", list(numbers))], b"").encode()
    return (f"{client_id}-uuid", client_id, "/127.0.0.1", b"", assignment if raw is None else raw)


async def test_members_are_known_by_incarnation_with_what_the_group_assigned():
    found = await ask_members(Admin("Stable", [member("a@1", 0, 2), member("b@2")]), "g")
    assert found == {"a@1": {0, 2}, "b@2": frozenset()}


@pytest.mark.parametrize(
    "admin",
    [
        Admin("PreparingRebalance", [member("a@1", 0)]),
        Admin("CompletingRebalance", [member("a@1", raw=b"")]),
        Admin("Stable", [member("a@1", 0)], error=15),
        Admin("Stable", [member("a@1", raw=b"\x00")]),
    ],
    ids=["preparing", "completing", "error", "garbled"],
)
async def test_members_are_unknown_unless_the_answer_is_whole(admin):
    assert await ask_members(admin, "g") is None
