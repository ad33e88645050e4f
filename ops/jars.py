"""Fetches pinned jars into a cache folder that all runs of a user share. What is there is not fetched again.

A file appears under its name only when it is complete and its sha256 is the lock's, so neither a crash, a full disk nor
a wrong mirror leaves a bad jar behind, and several programs may fetch at the same time. HTTPS_PROXY, NO_PROXY and
SSL_CERT_FILE are honoured by urllib.
"""

import contextlib
import hashlib
import http.client
import secrets
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path

from jgo.constants import MAVEN_CENTRAL_URL
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from ops.jars_lock import Jar

THREADS = 8
ATTEMPTS = 4
BACKOFF_S = 0.5  # then 1, 2: a mirror that is restarted is tried for about four seconds
TIMEOUT_S = 30.0
ABANDONED_S = 3600.0
CHUNK_BYTES = 256 * 1024
FOR_GOOD = frozenset({400, 401, 403, 404, 405, 410})
"""HTTP answers that another attempt will not change."""


class JarError(RuntimeError):
    """A jar could not be had: check network (HTTPS_PROXY, SSL_CERT_FILE) and disk, or name a TURNSTILE_MIRROR."""


class _CorruptError(ValueError):
    """The bytes that came are not the lock's."""


TRANSIENT = (
    _CorruptError,
    http.client.HTTPException,
    urllib.error.URLError,
    ssl.SSLError,
    ConnectionError,
    TimeoutError,
)

Report = Callable[[int, int], None]
"""Called with (bytes done, bytes in all), from one thread at a time."""


def missing(jars: Sequence[Jar], folder: Path) -> list[Jar]:
    """The jars that are not in the cache, or are not what the lock says. Reads all: 45 MB, 0.04 to 0.2 s."""
    return [jar for jar in jars if not _is_there(jar, folder)]


def fetch(jars: Sequence[Jar], folder: Path, mirror: str = "", report: Report | None = None) -> list[Path]:
    """Make all jars present below `folder` and return their paths; no network if they already are.

    `mirror`: base URL of a Maven repository, "" for Maven Central. JarError names the first jar that could not be had
    and why.
    """
    wanted = missing(jars, folder)
    if wanted:
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        _fetch_all(wanted, folder, _base(mirror), report or _silent)
    return [folder / jar.name for jar in jars]


@contextlib.contextmanager
def progress_bar(console: Console, title: str) -> Iterator[Report]:
    """A `report` for fetch: a bar on a terminal, one plain line elsewhere, nothing if nothing is fetched."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(title, visible=False, total=None)
        begun = threading.Event()

        def report(done: int, total: int) -> None:
            if not begun.is_set():
                begun.set()
                if not console.is_terminal:
                    console.print(f"{title}: {total / 1e6:.0f} MB")
            progress.update(task, completed=done, total=total, visible=True)

        yield report


def _base(mirror: str) -> str:
    base = (mirror or MAVEN_CENTRAL_URL).rstrip("/")
    if not base.startswith(("https://", "http://")):
        message = f"mirror {base!r}: expected an http:// or https:// base URL"
        raise JarError(message)
    return base


def _is_there(jar: Jar, folder: Path) -> bool:
    try:
        with (folder / jar.name).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256
    except FileNotFoundError:
        return False


def _sweep(folder: Path) -> None:
    """Remove what programs that were killed in the middle of a download have left behind."""
    for partial in folder.glob(".*.part"):
        with contextlib.suppress(FileNotFoundError):  # its own program may be finishing it
            if time.time() - partial.stat().st_mtime > ABANDONED_S:
                partial.unlink()


def _silent(done: int, total: int) -> None:
    """Report nothing."""


def _fetch_all(jars: list[Jar], folder: Path, base: str, report: Report) -> None:
    fetching = _Fetching(folder, base, _Tally(sum(jar.size for jar in jars), report))
    with ThreadPoolExecutor(THREADS, thread_name_prefix="fetch") as pool:
        futures = [pool.submit(fetching.fetch, jar) for jar in jars]
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            errors = [future.exception() for future in done]
        finally:  # the first error, or Ctrl-C: let the other downloads go at their next chunk
            fetching.stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
    for error in errors:
        if error is not None:
            raise error


class _Tally:
    """Bytes that came, over all threads. A failed attempt's bytes are taken back."""

    def __init__(self, total: int, report: Report) -> None:
        self._lock = threading.Lock()
        self._done = 0
        self._total = total
        self._report = report
        report(0, total)

    def add(self, count: int) -> None:
        with self._lock:
            self._done += count
            self._report(self._done, self._total)


class _Fetching:
    """What the threads of one fetch share. Proxies and certificates are read from the environment when it is made."""

    def __init__(self, folder: Path, base: str, tally: _Tally) -> None:
        self.stop = threading.Event()
        self._folder = folder
        self._base = base
        self._tally = tally
        self._opener = urllib.request.build_opener()

    def fetch(self, jar: Jar) -> None:
        """Try until it is there; JarError when that is hopeless, nothing when `stop` is set."""
        url = f"{self._base}/{jar.path}"
        reason: Exception = TimeoutError()
        for attempt in range(ATTEMPTS):
            if attempt and self.stop.wait(BACKOFF_S * 2.0 ** (attempt - 1)):
                return
            try:
                self._attempt(jar, url)
            except urllib.error.HTTPError as error:
                reason = error
                error.close()
                if error.code in FOR_GOOD:
                    break
            except TRANSIENT as error:
                reason = error
            except OSError as error:  # not the network: the cache folder
                message = f"cannot store {jar.name} in {self._folder}: {error}"
                raise JarError(message) from error
            else:
                return
        message = f"cannot fetch {url}: {reason}. Check HTTPS_PROXY and SSL_CERT_FILE, or set TURNSTILE_MIRROR"
        raise JarError(message) from reason

    def _attempt(self, jar: Jar, url: str) -> None:
        partial = self._folder / f".{jar.name}.{secrets.token_hex(4)}.part"
        digest = hashlib.sha256()
        received = 0
        try:
            with self._opener.open(url, timeout=TIMEOUT_S) as answer, partial.open("xb") as file:
                while not self.stop.is_set() and received <= jar.size and (chunk := answer.read(CHUNK_BYTES)):
                    file.write(chunk)
                    digest.update(chunk)
                    received += len(chunk)
                    self._tally.add(len(chunk))
            if self.stop.is_set():
                return
            if received != jar.size or digest.hexdigest() != jar.sha256:
                message = f"{received} bytes with another sha256 than the lock's {jar.size} bytes"
                raise _CorruptError(message)
            partial.replace(self._folder / jar.name)
            received = 0
        finally:
            partial.unlink(missing_ok=True)
            self._tally.add(-received)
