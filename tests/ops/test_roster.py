"""Which programs `turnstile up` runs, and what each is told."""

import pytest

from ops import gateways_file
from ops.roster import AGENTS, Roster, Shape
from settings import Shared
from streams import keys
from streams.topics import Ledger


@pytest.fixture
def settings(tmp_path):
    keys.ensure(tmp_path)
    return Shared(data_dir=tmp_path, namespace="shop", payments="stand-in://")


SHAPE = Shape(1, (0, 0), {})


def roster(settings, shape=SHAPE):
    return Roster(settings, shape, 4, (8081, 8082), 9000)


def environment(roster, name):
    (program,) = (one for one in roster.programs if one.name == name)
    return program.environment


def test_the_whole_journey_runs_by_default(settings):
    names = [program.name for program in roster(settings).programs]
    assert names == ["worker-1", "order-1", "order-2", *AGENTS, "gateway-1", "gateway-2", "stand-in"]
    assert roster(settings).ledgers == (Ledger.STOCK, Ledger.ORDER)


def test_gateways_are_stopped_first_and_the_stand_in_last(settings):
    ranks = {program.name: program.rank for program in roster(settings).programs}
    assert ranks["gateway-1"] < min(ranks[role] for role in AGENTS) <= max(ranks[role] for role in AGENTS)
    assert max(ranks[role] for role in AGENTS) < ranks["order-1"] == ranks["worker-1"] < ranks["stand-in"]


def test_every_program_knows_the_log_and_its_own_name(settings):
    made = roster(settings, Shape(1, (0, 0), {"log_level": "debug"}))
    for program in made.programs:
        known = {key: program.environment[f"TURNSTILE_{key}"] for key in ("NAMESPACE", "PARTITIONS", "LOG_LEVEL")}
        assert known == {"NAMESPACE": "shop", "PARTITIONS": "4", "LOG_LEVEL": "debug"}
    assert environment(made, "order-2")["TURNSTILE_WORKER"] == "order-2"
    assert environment(made, "gateway-2")["TURNSTILE_PORT"] == "8082"


def test_the_stand_in_and_the_gateways_share_a_secret_that_is_kept(settings):
    made, again = roster(settings), roster(settings)
    stand_in = environment(made, "stand-in")
    assert stand_in["TURNSTILE_STAND_IN_WEBHOOK_URL"] == "http://127.0.0.1:8081/v1/webhooks/stripe"
    secret = stand_in["TURNSTILE_STAND_IN_WEBHOOK_SECRET"]
    assert secret.startswith("whsec_")
    assert {environment(one, "gateway-2")["TURNSTILE_WEBHOOK_SECRETS"] for one in (made, again)} == {secret}


def test_agents_are_told_where_the_stand_in_is_and_it_how_to_behave(settings):
    asked = settings.model_copy(update={"payments": "stand-in://?declines=0.03&latency_ms=120"})
    made = roster(asked)
    assert made.payments == "stand-in+http://127.0.0.1:9000"
    assert environment(made, "payment")["TURNSTILE_PAYMENTS"] == made.payments
    assert environment(made, "stand-in")["TURNSTILE_STAND_IN_BEHAVIOUR"] == "declines=0.03&latency_ms=120"
    assert environment(made, "stand-in")["TURNSTILE_STAND_IN_PORT"] == "9000"


@pytest.mark.parametrize("payments", ["stripe://", "stand-in+http://127.0.0.1:9999"])
def test_with_another_provider_no_stand_in_is_started_and_secrets_are_the_operator_s(settings, payments):
    made = roster(settings.model_copy(update={"payments": payments}))
    assert "stand-in" not in [program.name for program in made.programs]
    assert made.payments == environment(made, "payment")["TURNSTILE_PAYMENTS"] == payments
    assert "TURNSTILE_WEBHOOK_SECRETS" not in environment(made, "gateway-1")


def test_stock_alone_has_neither_agents_nor_payments(settings):
    made = roster(settings, Shape(2, (0, 0), {}, orders=0))
    assert [program.name for program in made.programs] == ["worker-1", "worker-2", "gateway-1", "gateway-2"]
    assert (made.ledgers, made.agents) == ((Ledger.STOCK,), ())


def test_commands_find_gateway_and_provider_as_long_as_up_runs(tmp_path):
    assert (gateways_file.first(tmp_path), gateways_file.payments(tmp_path)) == (gateways_file.DEFAULT, "")
    gateways_file.write(tmp_path, ["http://127.0.0.1:9"], "stand-in+http://127.0.0.1:8")
    assert gateways_file.first(tmp_path) == "http://127.0.0.1:9"
    assert gateways_file.payments(tmp_path) == "stand-in+http://127.0.0.1:8"
    gateways_file.remove(tmp_path)
    assert gateways_file.payments(tmp_path) == ""
