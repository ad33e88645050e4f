"""The jars of the embedded broker: Apache Kafka and what it needs, each pinned by version, sha256 and size.

kafka.lock is written by `python -m ops.jars_resolver`, one jar a line: `group:artifact:version sha256:HEX SIZE`.
"""

import re
from pathlib import Path
from typing import NamedTuple

LOCK = Path(__file__).with_name("kafka.lock")
_LINE = re.compile(r"([\w.-]+):([\w.-]+):([\w.-]+) sha256:([0-9a-f]{64}) (\d+)")


class Jar(NamedTuple):
    """One pinned file of a Maven repository. `size` in bytes."""

    group: str
    artifact: str
    version: str
    sha256: str
    size: int

    @property
    def name(self) -> str:
        """File name, in the repository and in the cache."""
        return f"{self.artifact}-{self.version}.jar"

    @property
    def path(self) -> str:
        """Path below a Maven repository's base URL."""
        return f"{self.group.replace('.', '/')}/{self.artifact}/{self.version}/{self.name}"

    def __str__(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version} sha256:{self.sha256} {self.size}"


def read_lock(lock: Path = LOCK) -> list[Jar]:
    """All jars, in the file's order. ValueError with the line that is none, or a name that stands twice."""
    jars: dict[str, Jar] = {}
    for number, line in enumerate(lock.read_text().splitlines(), start=1):
        match = _LINE.fullmatch(line)
        if match is None:
            message = f"{lock}:{number}: not `group:artifact:version sha256:HEX SIZE`: {line!r}"
            raise ValueError(message)
        group, artifact, version, sha256, size = match.groups()
        jar = Jar(group, artifact, version, sha256, int(size))
        if jar.name in jars:
            message = f"{lock}:{number}: {jar.name} stands twice"
            raise ValueError(message)
        jars[jar.name] = jar
    return list(jars.values())


def write_lock(jars: list[Jar], lock: Path = LOCK) -> None:
    """Write the lock, sorted, so that a new version is a readable diff."""
    lock.write_text("".join(f"{jar}\n" for jar in sorted(jars)))
