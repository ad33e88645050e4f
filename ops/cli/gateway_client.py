"""One request at a time to a gateway, for the command line."""

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ops.cli.complaint import Complaint

TIMEOUT_S = 15.0  # A decision is waited for up to 5 s, an append is acked within 5 s: twice that, and half again.
OK, NO_CONTENT = 200, 204
_CLASSES: dict[str, type[http.client.HTTPConnection]] = {
    "http": http.client.HTTPConnection,
    "https": http.client.HTTPSConnection,
}
_FIXES = {
    401: "the gateway has other keys: use the TURNSTILE_DATA_DIR that it was started with",
    403: "this needs a token with scope ops: `turnstile token --customer NAME --scope ops`",
    429: "try again in a moment",
    503: "try again in a moment; `turnstile doctor` says whether the broker and a worker are there",
    504: "repeat the command: the same key is decided once",
}


class Reply(NamedTuple):
    """Status, headers by lower-case name, and the JSON body."""

    status: int
    headers: Mapping[str, str]
    body: Any


class GatewayClient:
    """`url` = address of a gateway, `token` = bearer token of every request."""

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in _CLASSES or not parts.hostname:
            raise Complaint(what=f"{url!r} is no address of a gateway", fix="give one like http://127.0.0.1:8080")
        self._url = url
        self._connect = _CLASSES[parts.scheme]
        self._host, self._port, self._path = parts.hostname, parts.port, parts.path.rstrip("/")
        self._token = token

    def call(self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Reply:
        """Send and read the answer, whatever its status; Complaint if nobody answers."""
        with self._asked(method, path, body, headers) as response:
            return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, _parse(response.read()))

    def follow(self, path: str, last: str = "") -> Iterator[dict[str, Any] | None]:
        """The data of a stream's events behind `last` as they come, until no more will come; Complaint as `expect`.

        None: nothing came for a while. A stream that ends before is asked for again from where it was (the gateway
        stopped, and another is there).
        """
        while True:
            with self._asked("GET", path, headers={"Last-Event-ID": last} if last else {}) as response:
                if response.status == NO_CONTENT:
                    return
                if response.status != OK:
                    reply = Reply(response.status, {}, _parse(response.read()))
                    raise Complaint(what=explain(reply), fix=_FIXES.get(reply.status, ""))
                for event in _events(response):
                    last = event.get("id", last)
                    yield json.loads(event["data"]) if event else None

    @contextmanager
    def _asked(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Iterator[http.client.HTTPResponse]:
        connection = self._connect(self._host, self._port, timeout=TIMEOUT_S)
        try:
            connection.request(
                method,
                self._path + path,
                None if body is None else json.dumps(body).encode(),
                {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json", **(headers or {})},
            )
            yield connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
            raise Complaint(
                what=f"no answer from the gateway at {self._url} ({reason})",
                fix="start one with `turnstile up`, or name another with --url",
            ) from error
        finally:
            connection.close()

    def expect(self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Reply:
        """`call`, and Complaint with the problem's own words for a status of 400 and more."""
        reply = self.call(method, path, body, headers)
        if reply.status >= 400:  # noqa: PLR2004 - RFC 9110: client and server errors
            raise Complaint(what=explain(reply), fix=_FIXES.get(reply.status, ""))
        return reply


def explain(reply: Reply) -> str:
    """A problem (RFC 9457) in one line."""
    body = reply.body if isinstance(reply.body, dict) else {}
    parts = [str(body[key]) for key in ("title", "detail") if body.get(key)]
    return f"{reply.status} {': '.join(parts)}" if parts else f"{reply.status} {reply.body}"


def _events(response: http.client.HTTPResponse) -> Iterator[dict[str, str]]:
    """The fields of each event that has an id (HTML, section 9.2.6); none: a comment, which keeps the connection."""
    fields: dict[str, str] = {}
    for line in iter(response.readline, b""):
        name, _, value = line.decode().rstrip("\r\n").partition(": ")
        if line.startswith(b":"):
            yield {}
        elif name:
            fields[name] = value
        elif "id" in fields:
            yield fields
            fields = {}


def _parse(data: bytes) -> Any:
    try:
        return json.loads(data) if data else None
    except ValueError:
        return data[:200].decode(errors="replace")
