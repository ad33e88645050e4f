"""What holds between the settings of the payment roles and the parts that they are handed to."""

import pytest
from pydantic import ValidationError

from agents import compensation, payment
from agents.money import share_of
from domain.orders import TO_COMPENSATION, TO_PAYMENT
from settings import PaymentSettings
from streams.chunks import chunk_app


def test_the_longest_call_is_a_sixth_of_the_time_after_which_kafka_gives_a_silent_agent_up():
    async def take(source, records):
        raise AssertionError

    app = chunk_app("127.0.0.1:9", "group", "client", ["topic"], take)
    longest = PaymentSettings(call_timeout_s=120).call_timeout_s
    assert app.conf.broker_max_poll_interval >= 6 * longest
    with pytest.raises(ValidationError):
        PaymentSettings(call_timeout_s=121)


def test_both_roles_together_stay_within_the_provider_s_limit_and_leave_each_other_nothing_to_do():
    assert payment.OFFICE.share + compensation.OFFICE.share <= 1
    assert (payment.OFFICE.kinds, compensation.OFFICE.kinds) == (TO_PAYMENT, TO_COMPENSATION)
    assert not TO_PAYMENT & TO_COMPENSATION


@pytest.mark.parametrize(("members", "share"), [(1, 90.0), (3, 30.0), (0, 22.5)])
def test_agents_share_the_limit_and_an_unknown_number_of_them_crawls(members, share):
    assert share_of(90.0, members) == share
    assert share_of(0.0, members) == 0
