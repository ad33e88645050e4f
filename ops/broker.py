"""The embedded broker: a real Apache Kafka from pinned jars on a bundled Java, for `up`, the demo and tests."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from ops import broker_config as config
from ops import jars
from ops.broker_node import BrokerError, InUseError, Node, free_port, is_free, new_cluster_id
from ops.jars_lock import read_lock
from streams.folder_lock import FolderLock

START_ATTEMPTS = 5
"""A free port is known to be free only until somebody else takes it, between our look and Kafka's start."""
HEAP_MB = 384


class EmbeddedBroker:
    """One Kafka node on loopback ports, whose data stays in `data_dir`; it dies with the process that started it.

    With the jars in `cache_dir` it needs no network. Use it as a context manager, or call `start` (main thread) and
    `stop`. On an event loop, `start_async`. After `stop` or `kill`, both bring it back on the same port and data; so do
    `spawn` (main thread, at once) and `wait_ready` (any thread), step by step. `options` of Java come after ours, so
    they win.

    JarError: the jars cannot be had. BrokerError: Kafka does not start; the message has the end of its log.
    """

    def __init__(
        self,
        data_dir: Path,
        cache_dir: Path,
        *,
        port: int = 0,
        mirror: str = "",
        heap_mb: int = HEAP_MB,
        options: Sequence[str] = (),
        report: jars.Report | None = None,
    ) -> None:
        self._folder = data_dir
        self._cache = cache_dir / "jars"
        self._port = port
        self._mirror = mirror
        self._heap_mb = heap_mb
        self._options = options
        self._report = report
        self._node: Node | None = None
        # Kafka locks its folder too, but only after it has written to it.
        self._lock = FolderLock(data_dir)

    @property
    def node(self) -> Node:
        """The process behind it: argv, folder, pid, log. BrokerError before `prepare`."""
        if self._node is None:
            message = "prepare the broker first"
            raise BrokerError(message)
        return self._node

    @property
    def address(self) -> str:
        """Bootstrap server, host:port. Only after `prepare`; may still change in `start` if the port is lost."""
        return f"{config.HOST}:{self.node.port}"

    @property
    def pid(self) -> int:
        """Process id; BrokerError if it does not run."""
        return self.node.pid

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._node is not None and self._node.is_running

    def prepare(self) -> None:
        """Fetch the jars, choose ports, format the storage. Nothing that is already there is done again."""
        if self._node is not None:
            return
        if self._port and not is_free(self._port):
            message = f"port {self._port} is taken by another program: choose another one"
            raise InUseError(message)
        paths = jars.fetch(read_lock(), self._cache, self._mirror, self._report)
        self._take_folder()
        node = Node(self._folder, paths, heap_mb=self._heap_mb, options=self._options)
        self._configure(node, self._port or free_port())
        node.format(new_cluster_id())
        self._node = node

    def start(self) -> None:
        """Return when it serves. The first time, other ports are chosen while these get lost; then they are kept."""
        fresh = self._node is None and not self._port
        self.prepare()
        for remaining in reversed(range(START_ATTEMPTS)):
            self.spawn()
            try:
                self.wait_ready()
            except InUseError as error:
                self._lost(error, remaining, fresh=fresh)
            except BaseException:  # Ctrl-C too: never leave a broker behind that nobody holds
                self.kill()
                raise
            else:
                return

    async def start_async(self) -> None:
        """As `start`, from a loop on the main thread, which goes on meanwhile."""
        fresh = self._node is None and not self._port
        await asyncio.to_thread(self.prepare)
        for remaining in reversed(range(START_ATTEMPTS)):
            self.spawn()
            try:
                await asyncio.to_thread(self.wait_ready)
            except InUseError as error:
                self._lost(error, remaining, fresh=fresh)
            except BaseException:
                self.kill()
                raise
            else:
                return

    def spawn(self) -> None:
        """Start the process, from the main thread. InUseError if another program has the folder."""
        self._take_folder()
        self.node.spawn()

    def wait_ready(self) -> None:
        """Wait until it serves; BrokerError if it ends or takes too long."""
        self.node.wait_ready()

    def stop(self) -> None:
        """TERM, then KILL. Nothing if it does not run."""
        if self._node is not None:
            self._node.stop()
        self._lock.release()

    def kill(self) -> None:
        """KILL."""
        self.node.kill()
        self._lock.release()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _take_folder(self) -> None:
        if not self._lock.acquire():
            message = f"{self._folder} belongs to the broker of process {self._lock.owner()}: stop that one first"
            raise InUseError(message)

    def _lost(self, error: InUseError, remaining: int, *, fresh: bool) -> None:
        """A port or the folder is still in use: choose other ports if nobody knows these yet, or give up."""
        self.kill()
        if not remaining:
            raise error
        self._configure(self.node, free_port() if fresh else self.node.port)

    def _configure(self, node: Node, port: int) -> None:
        node.configure(config.combined(config.Ports(port, free_port())), port)
