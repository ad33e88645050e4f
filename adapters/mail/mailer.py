"""Where mail goes: a port with two adapters, an SMTP server, or a folder of .eml files that any mail program opens."""

import os
import re
import smtplib
import ssl
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

TIMEOUT_S = 20
SENDER = "turnstile@localhost"
SMTP_OK = 250
TRANSIENT = range(400, 500)
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_PORTS = {"": 25, "starttls": 587, "tls": 465}


class DeferredError(Exception):
    """It did not go and may be tried again later: the server is away, busy, or says so."""


class RefusedError(Exception):
    """The server refused it for good, or nobody knows whether it went: it must not be sent again."""


class Mailer(Protocol):
    """Sends one message. Blocking: call it from a thread, one call at a time."""

    sender: str
    """The address that mail is from."""

    def send(self, message: EmailMessage) -> None:
        """Return when the message is somebody else's. DeferredError, RefusedError."""

    def close(self) -> None:
        """Disconnect."""


class FolderMailer:
    """Writes each message to a file named by its Message-ID."""

    def __init__(self, folder: Path, sender: str = SENDER) -> None:
        self.sender = sender
        self._folder = folder

    def send(self, message: EmailMessage) -> None:
        """Write aside, then rename: who looks into the folder sees whole messages."""
        name = f"{message['Message-ID'].strip('<>').partition('@')[0]}.eml"
        aside = self._folder / f".{name}.{os.getpid()}"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            aside.write_bytes(message.as_bytes(policy=SMTP))
            aside.replace(self._folder / name)
        except OSError as error:
            raise DeferredError(str(error)) from error

    def close(self) -> None:
        """Nothing is open."""


class SmtpServer(NamedTuple):
    """Where to connect. `security`: "" (plain), "starttls" or "tls"."""

    host: str
    port: int
    security: str = ""
    user: str = ""
    password: str = ""


class SmtpMailer:
    """One connection, kept from message to message and made anew when it broke."""

    def __init__(self, server: SmtpServer, sender: str = SENDER) -> None:
        self.sender = sender
        self._server = server
        self._smtp: smtplib.SMTP | None = None

    def send(self, message: EmailMessage) -> None:
        """Hand over to the server. What fails before the server has all of it is deferred; after that, refused."""
        smtp = self._connected()
        try:
            smtp.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            code, text = next(iter(error.recipients.values()))
            raise _judged(code, text) from error
        except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            raise _judged(error.smtp_code, error.smtp_error) from error
        except (smtplib.SMTPException, OSError) as error:
            self.close()
            reason = f"the connection broke while it was sent: {error}"
            raise RefusedError(reason) from error

    def close(self) -> None:
        """Without a word: the server may be gone."""
        if self._smtp:
            self._smtp.close()
            self._smtp = None

    def _connected(self) -> smtplib.SMTP:
        if self._smtp and self._lives(self._smtp):
            return self._smtp
        self.close()
        try:
            self._smtp = self._connect()
        except (smtplib.SMTPException, OSError) as error:
            message = f"{self._server.host}:{self._server.port} does not take mail: {error}"
            raise DeferredError(message) from error
        return self._smtp

    @staticmethod
    def _lives(smtp: smtplib.SMTP) -> bool:
        """An idle connection may be closed by the server at any time."""
        try:
            return smtp.noop()[0] == SMTP_OK
        except (smtplib.SMTPException, OSError):
            return False

    def _connect(self) -> smtplib.SMTP:
        host, port, security, user, password = self._server
        if security == "tls":
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_S, context=ssl.create_default_context())
        else:
            smtp = smtplib.SMTP(host, port, timeout=TIMEOUT_S)
        try:
            if security == "starttls":
                smtp.starttls(context=ssl.create_default_context())
            if user:
                smtp.login(user, password)
        except BaseException:
            smtp.close()
            raise
        return smtp


def mailer_of(address: str, default: Path) -> Mailer:
    """The mailer of TURNSTILE_MAIL: "" (the folder `default`), a folder, or smtp[s]://[user:password@]host[:port].

    Of the URL's query: `from` = the sender's address, `starttls=1`. ValueError for another form.
    """
    if "://" not in address:
        return FolderMailer(Path(address) if address else default)
    url = urlsplit(address)
    query = parse_qs(url.query)
    if url.scheme not in {"smtp", "smtps"} or not url.hostname or set(query) - {"from", "starttls"}:
        message = (
            f"TURNSTILE_MAIL={url.scheme}://...: expected a folder or smtp[s]://[user:password@]host[:port]?from=..."
        )
        raise ValueError(message)
    security = "tls" if url.scheme == "smtps" else "starttls" if "starttls" in query else ""
    user, password = unquote(url.username or ""), unquote(url.password or "")
    server = SmtpServer(url.hostname, url.port or _PORTS[security], security, user, password)
    return SmtpMailer(server, query.get("from", [SENDER])[0])


def _judged(code: int, text: bytes | str) -> DeferredError | RefusedError:
    """RFC 5321: 4yz may be tried again, 5yz not. Of the text only its code (RFC 3463): the rest may name somebody."""
    found = _ENHANCED.match(text.decode(errors="replace") if isinstance(text, bytes) else text)
    said = f"the server says {code} {found[0]}" if found else f"the server says {code}"
    return DeferredError(said) if code in TRANSIENT else RefusedError(said)
