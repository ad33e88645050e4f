"""One request at a time to the operator's side of a running stand-in."""

import http.client
import json
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

from adapters.stand_in.urls import http_address
from ops import gateways_file
from ops.cli.complaint import Complaint
from settings import Shared

TIMEOUT_S = 10.0
OK = 200


class StandInClient:
    """Of the one at `url` (stand-in+http://HOST:PORT); "" = TURNSTILE_PAYMENTS, or that of `turnstile up`."""

    def __init__(self, settings: Shared, url: str = "") -> None:
        named = [url, settings.payments, gateways_file.payments(settings.data_dir)]
        for wanted in (one for one in named if one and (url or one.startswith("stand-in+"))):
            try:
                self._address = http_address(wanted)
            except ValueError as error:
                raise Complaint(what=str(error)) from error
            return
        raise Complaint(
            what="no stand-in is running here as a process of its own",
            fix="start one with `turnstile stripe serve`, or name one with --url stand-in+http://HOST:PORT",
        )

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """The JSON of the answer; Complaint if nobody answers or the answer is a problem."""
        return json.loads(self.read(method, path, body))

    def read(self, method: str, path: str, body: object = None) -> bytes:
        """As `ask`, the bytes."""
        data = None if body is None else json.dumps(body).encode()
        try:
            with closing(http.client.HTTPConnection(urlsplit(self._address).netloc, timeout=TIMEOUT_S)) as connection:
                connection.request(method, f"/_stand_in/{path}", data)
                answer = connection.getresponse()
                text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
            raise Complaint(what=f"no answer from the stand-in at {self._address} ({reason})") from error
        if answer.status != OK:
            raise Complaint(what=f"{answer.status} {_message(text)}")
        return text


def _message(text: bytes) -> str:
    """Of an error in Stripe's form; what came, if it is none."""
    try:
        return str(json.loads(text)["error"]["message"])
    except (ValueError, LookupError, TypeError):
        return text.decode(errors="replace")
