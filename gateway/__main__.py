"""`python -m gateway`: one gateway process."""

import asyncio
import os
import sys
from functools import partial

import uvloop
from pydantic import ValidationError

from gateway.app import build_app
from gateway.server import Server
from gateway.service import Service
from settings import GatewaySettings, problems
from streams import collector, keys, runfile
from streams.actions import Action
from streams.identity import Identity, NoLogError, read_identity
from streams.kafka_log import KafkaLog
from streams.log import StalledError, UnknownTopicError
from streams.logs import Log, LoggingSetupError, set_up_logging
from streams.loop_guard import LoopGuard, guarded
from streams.topics import Topics, named

RETRY_S = 0.5
FLUSH_S = 5.0
USAGE = 64
"""EX_USAGE of sysexits.h: started wrongly, starting again does not help."""
SOFTWARE = 70
"""EX_SOFTWARE: the supervisor starts another."""
HUNG = 75
"""EX_TEMPFAIL: so it does of one whose loop was stuck."""


def main() -> int:
    """Run until SIGTERM; the exit code."""
    try:
        settings = GatewaySettings()
        settings = settings.model_copy(update={"gateway": settings.gateway or f"gateway-{os.getpid()}"})
        set_up_logging(settings.log_level, settings.log_format, program="gateway", gateway=settings.gateway)
    except (ValidationError, LoggingSetupError) as error:
        sys.stderr.write(f"{problems(error) if isinstance(error, ValidationError) else error}\n")
        return USAGE
    log = Log("gateway")
    try:
        return uvloop.run(_run(settings, log))
    except (keys.KeysError, runfile.NoBrokerError, NoLogError, ValueError) as error:
        log(Action.FAILED, program="gateway", reason=str(error))
        return USAGE


async def _run(settings: GatewaySettings, log: Log) -> int:
    """Serve at once, take requests once ready; the exit code."""
    secrets = keys.load(settings.data_dir)
    servers = runfile.resolve(settings)
    topics = named(settings.namespace)
    identity = await _identify(servers, topics, settings.gateway, log)
    service = Service(settings, servers, topics, identity, secrets, keys.load_address(settings.data_dir))
    server = Server(build_app(service), settings.host, settings.port, service.streams.stopping.set)
    collector.begin()
    async with guarded(LoopGuard(partial(_end_hung, log))):
        return await _serve(service, server, log)


async def _serve(service: Service, server: Server, log: Log) -> int:
    working = asyncio.create_task(service.run())
    serving = asyncio.create_task(server.serve())
    announcing = asyncio.create_task(_announce(service, server, log))
    await asyncio.wait({working, serving}, return_when=asyncio.FIRST_COMPLETED)
    failed = working.done()
    if failed:
        service.draining = True
        log(Action.FAILED, program="gateway", reason="its work ended", error=working.exception())
        server.stop()
    else:
        log(Action.STOPPING, program="gateway", reason="asked to")
        await service.drain(FLUSH_S)
    announcing.cancel()
    working.cancel()
    await asyncio.wait({working, serving, announcing})
    service.close()
    log(Action.STOPPED, program="gateway")
    return SOFTWARE if failed or serving.exception() else 0


def _end_hung(log: Log, reason: str) -> None:
    """Nothing in this process would ever end it."""
    log(Action.HUNG, reason=reason)
    os._exit(HUNG)


async def _identify(servers: str, topics: Topics, client_id: str, log: Log) -> Identity:
    """As soon as there is a broker."""
    told = False
    while True:
        try:
            async with KafkaLog(servers, client_id) as there:
                identity = await read_identity(there, topics)
                await _check_partitions(there, topics, identity.partitions)
                return identity
        except StalledError as error:
            if not told:
                log(Action.BROKER_AWAY, reason=str(error))
                told = True
            await asyncio.sleep(RETRY_S)


async def _check_partitions(log: KafkaLog, topics: Topics, partitions: int) -> None:
    """NoLogError if the topics that are addressed by partition have not exactly P: records would go astray."""
    for topic in (topics.stock_commands, topics.stock_events, topics.order_commands, topics.order_events):
        try:
            await log.end(topic.name, partitions - 1)
        except UnknownTopicError as error:
            raise NoLogError(str(error)) from error
        try:
            await log.end(topic.name, partitions)
        except UnknownTopicError:
            continue
        message = f"{topic.name} has more partitions than the {partitions} of its log: it was changed afterwards"
        raise NoLogError(message)


async def _announce(service: Service, server: Server, log: Log) -> None:
    """The line that others wait for."""
    await service.ready.wait()
    await server.listening.wait()
    log(Action.GATEWAY_READY, address=server.address(), partitions=service.partitions)


if __name__ == "__main__":
    sys.exit(main())
