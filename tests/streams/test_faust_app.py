"""What is overridden or assumed of Faust is still there: a version that changes it fails here, not in production."""

import asyncio
import inspect

import faust
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from mode.worker import Worker

from streams.faust_app import QuietApp, RoleWorker, plan_app


async def test_the_app_joins_its_group_under_the_name_of_the_process_and_serves_nothing():
    app = plan_app("127.0.0.1:9092,127.0.0.1:9093", "turnstile.inventory", "w1@abc", "plan")
    conf = app.conf
    assert (conf.id, conf.broker_client_id) == ("turnstile.inventory", "w1@abc")
    assert [str(url) for url in conf.broker] == ["kafka://127.0.0.1:9092", "kafka://127.0.0.1:9093"]
    assert not conf.web_enabled
    assert not conf.topic_allow_declare
    assert conf.processing_guarantee.value == "at_least_once"
    assert list(app.agents) == ["plan"]
    assert "client_id=conf.broker_client_id" in inspect.getsource(AIOKafkaConsumerThread)


def test_the_methods_that_are_overridden_exist_and_are_called():
    assert "_create_directories" in inspect.getsource(faust.App.on_first_start)
    assert QuietApp._create_directories is not faust.App._create_directories
    source = inspect.getsource(Worker)
    assert "add_signal_handler(signal.SIGTERM, self._on_sigterm)" in source
    assert "add_signal_handler(signal.SIGINT, self._on_sigint)" in source


def worker_of(said: list[str]) -> RoleWorker:
    async def stopping() -> None:
        said.append("hand over")

    app = plan_app("127.0.0.1:9092", "g", "w1@abc", "plan")
    worker = RoleWorker(app, stopping=stopping, hung=said.append, loop=asyncio.get_running_loop())
    worker._schedule_shutdown = lambda _: said.append("faust stops")
    return worker


async def test_on_term_everything_is_handed_over_before_faust_stops():
    said: list[str] = []
    worker = worker_of(said)
    worker._on_sigterm()
    assert said == []
    await worker._farewell
    assert said == ["hand over", "faust stops"]


async def test_a_second_term_does_not_wait():
    said: list[str] = []
    worker = worker_of(said)
    worker._on_sigterm()
    worker._on_sigterm()
    assert said == ["faust stops"]
    await worker._farewell
