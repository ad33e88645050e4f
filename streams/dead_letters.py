"""What a record on dead.letters says of where it came from, and why it is there."""


def letter_headers(topic: str, partition: int, offset: int, timestamp_ms: int, reason: str) -> list[tuple[str, bytes]]:
    """Headers of a letter; its key is the topic, its value the record's as it was."""
    return [
        ("topic", topic.encode()),
        ("partition", str(partition).encode()),
        ("offset", str(offset).encode()),
        ("timestamp-ms", str(timestamp_ms).encode()),
        ("reason", reason.encode()),
    ]
