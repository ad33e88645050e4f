"""P for commands that make or check topics."""

from settings import Shared
from streams.identity import NoLogError, read_identity
from streams.kafka_log import KafkaLog
from streams.topics import Topics


async def wanted_partitions(servers: str, topics: Topics, settings: Shared) -> int:
    """As somebody set it (TURNSTILE_PARTITIONS, --partitions); else as the log has it; else the default.

    So only who asks for another P than the log's is told that it cannot be changed. StalledError.
    """
    if "partitions" in settings.model_fields_set:
        return settings.partitions
    async with KafkaLog(servers, "turnstile-topics") as log:
        try:
            return (await read_identity(log, topics)).partitions
        except NoLogError:
            return settings.partitions
