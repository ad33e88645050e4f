"""Writes kafka.lock anew: `python -m ops.jars_resolver`. For developers, when Kafka's version is changed.

The closure comes from jgo's Maven resolver. It only warns when a download does not match its checksum, so the files are
checked here against the repository's own sha1 before their sha256 becomes the truth for everybody.
"""

import argparse
import hashlib
import tempfile
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from jgo.constants import MAVEN_CENTRAL_URL
from jgo.maven import Dependency, MavenContext

from ops.jars_lock import LOCK, Jar, read_lock, write_lock

KAFKA = "org.apache.kafka:kafka_2.13:4.3.1"
"""Not the newest listed: 4.4.0 is incomplete (kafka-tools-api is missing) and unsigned."""
BINDING = "org.apache.logging.log4j:log4j-slf4j-impl"
"""Kafka brings slf4j-api 1.7 and log4j 2: their binding is -slf4j-impl, of log4j's version (-slf4j2- is for 2.x)."""
TIMEOUT_S = 30


class ChecksumError(RuntimeError):
    """A downloaded jar is not what the repository says that it is: delete it and try again."""


def resolve(root: str, repo_cache: Path) -> list[Jar]:
    """Resolve and download `root` (group:artifact:version) and all that it needs at run time."""
    context = MavenContext(repo_cache=repo_cache)
    inputs, closure = context.resolver.resolve([context.create_dependency(root)])
    log4j = next(dependency for dependency in closure if dependency.artifactId == "log4j-core")
    binding, _ = context.resolver.resolve([context.create_dependency(f"{BINDING}:{log4j.version}")], transitive=False)
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(_pin, [*inputs, *closure, *binding]))


def _pin(dependency: Dependency) -> Jar:
    data = dependency.artifact.resolve().read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    jar = Jar(dependency.groupId, dependency.artifactId, dependency.version, sha256, len(data))
    with urllib.request.urlopen(f"{MAVEN_CENTRAL_URL}/{jar.path}.sha1", timeout=TIMEOUT_S) as answer:  # noqa: S310 - https
        published = answer.read().decode().split()[0]
    if hashlib.sha1(data).hexdigest() != published:  # noqa: S324 - what Maven repositories publish for every file
        message = f"{jar.name} does not match its published sha1"
        raise ChecksumError(message)
    return jar


def main() -> None:
    """Write the lock, or with --check compare it with a fresh resolution and exit 1 if it differs."""
    parser = argparse.ArgumentParser(prog="python -m ops.jars_resolver", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only compare; exit 1 if the lock would change")
    check: bool = parser.parse_args().check
    with tempfile.TemporaryDirectory() as folder:
        jars = resolve(KAFKA, Path(folder))
    if check:
        changed = set(jars) ^ set(read_lock())
        raise SystemExit("\n".join(map(str, sorted(changed))) or 0)
    write_lock(jars)
    print(f"{LOCK.name}: {len(jars)} jars, {sum(jar.size for jar in jars) / 1e6:.1f} MB")  # noqa: T201 - its output


if __name__ == "__main__":
    main()
