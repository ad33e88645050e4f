"""What operators do: policies by version, adjustments by reference, the rules in force."""

import pytest

from domain.roles import Role
from domain.stock import Adjusted, SetRules
from tests.domain.scenario import play
from tests.properties.partition import Partition


def test_policies_change_by_version_and_another_version_is_a_conflict():
    play("""
 after  role     command                                answer          counters
     0  ops      open tee 1                             unknown-sku
     0  ops      policy tee 3 500 2 10000               unknown-sku
     0  ops      policy tee 0 500 2 10000               policy-set      tee: 0 0 0 0
     0  ops      policy tee 0 500 2 10000               conflict        tee: 0 0 0 0
     0  ops      open tee 2                             conflict        tee: 0 0 0 0
     0  ops      open tee 1                             opened          tee: 0 0 0 0
     0  ops      close tee 1                            conflict        tee: 0 0 0 0
     0  ops      policy tee 2 600 2 10000               policy-set      tee: 0 0 0 0
     0  ops      close tee 3                            shut            tee: 0 0 0 0
     0  ops      open tee 4                             opened          tee: 0 0 0 0
     0  ops      close mug 1                            unknown-sku
    """)


def test_a_lower_limit_and_another_price_hold_for_new_holds_only():
    partition = play("""
 after  role     command                                answer          counters
     0  ops      policy tee 0 500 2 10000               policy-set      tee: 0 0 0 0
     0  ops      open tee 1                             opened          tee: 0 0 0 0
     0  ops      adjust tee 9 initial                   adjusted        tee: 9 0 0 0
     1  gateway  reserve h1 ann tee 2                   granted         tee: 7 2 0 0
     1  ops      policy tee 2 600 1 5000                policy-set      tee: 7 2 0 0
     1  gateway  reserve h2 bob tee 2                   limit-reached   tee: 7 2 0 0
     1  order    commit h1 ann                          committed       tee: 7 0 2 0
     1  gateway  reserve h3 bob tee 1                   granted         tee: 6 1 2 0
    """)
    (grant,) = partition.changes()
    assert (grant.unit_price, grant.deadline_ms) == (600, partition.clk + 5_000)


def test_an_adjustment_counts_once_by_its_reference_for_good():
    play("""
 after  role     command                                answer          counters
     0  ops      adjust tee 3 initial                   unknown-sku
     0  ops      policy tee 0 500 2 10000               policy-set      tee: 0 0 0 0
     0  ops      policy mug 0 500 2 10000               policy-set      tee: 0 0 0 0
     0  ops      adjust tee 3 initial                   adjusted        tee: 3 0 0 0
     0  ops      adjust tee 3 initial                   adjusted        tee: 3 0 0 0
     0  ops      adjust tee 4 initial                   key-reused      tee: 3 0 0 0
     0  ops      adjust mug 4 initial                   adjusted        mug: 4 0 0 0
86400000  ops    adjust tee 3 initial                   adjusted        tee: 3 0 0 0
     0  ops      adjust tee 3 restock                   adjusted        tee: 6 0 0 0
    """)


def test_a_negative_adjustment_takes_from_available_only_and_says_what_is_missing():
    partition = play("""
 after  role     command                                answer          counters
     0  ops      policy tee 0 500 2 10000               policy-set      tee: 0 0 0 0
     0  ops      open tee 1                             opened          tee: 0 0 0 0
     0  ops      adjust tee 3 initial                   adjusted        tee: 3 0 0 0
     1  gateway  reserve h1 ann tee 2                   granted         tee: 1 2 0 0
     1  ops      adjust tee -3 lost                     shortfall       tee: 0 2 0 0
    """)
    assert partition.changes() == [Adjusted(0, "tee", -1, "lost", 2)]
    assert partition.owner.pools["tee"].received == 2
    again = play("""
 after  role     command                                answer          counters
     0  ops      policy tee 0 500 2 10000               policy-set      tee: 0 0 0 0
     0  ops      adjust tee -3 lost                     shortfall       tee: 0 0 0 0
     0  ops      adjust tee 5 found                     adjusted        tee: 5 0 0 0
     0  ops      adjust tee -3 lost                     shortfall       tee: 5 0 0 0
     0  ops      adjust tee -2 lost                     key-reused      tee: 5 0 0 0
    """)
    assert not again.changes()


def test_the_rules_go_up_by_one_and_a_program_without_them_stops_at_the_next_record():
    partition = Partition()
    assert partition.record(SetRules(1), SetRules(3), SetRules(2), SetRules(1)) == [
        "rules-set", "conflict", "rules-set", "conflict",
    ]  # fmt: skip
    assert partition.fold.rules_version(partition.owner) == 2
    assert 2 not in partition.fold.rules_versions
    with pytest.raises(KeyError):
        partition.record()


@pytest.mark.parametrize("role", list(Role))
def test_every_role_may_send_its_own_commands_and_no_others(role):
    allowed = {
        Role.GATEWAY: "reserve",
        Role.ORDER: "reserve bundle commit release extend return",
        Role.OPS: "commit release extend return policy adjust open close rules",
    }.get(role, "").split()
    commands = (
        "reserve h1 ann tee 1", "bundle h2 ann tee:1", "commit h1 ann", "release h1 ann", "extend h1 1",
        "return h1 1 1 scrap", "policy tee 0 1 1 1", "adjust tee 1 x", "open tee 1", "close tee 1", "rules 1",
    )  # fmt: skip
    for command in commands:
        rows = f" after  role  command  answer\n0  {role.name}  {command}  "
        if command.split()[0] not in allowed:
            play(rows + "forbidden")
        else:
            with pytest.raises(AssertionError, match="-- was"):
                play(rows + "forbidden")
