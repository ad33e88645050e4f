"""Mail: what is written for which transition, where it goes, and how often."""

import asyncio
import email
import smtplib
from contextlib import ExitStack
from email.policy import default

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import select

from adapters.mail.letters import FOLDER, money
from adapters.mail.mailer import FolderMailer, SmtpMailer, SmtpServer, mailer_of
from adapters.mail.occasions import TEMPLATES
from adapters.sealing import Sealer
from adapters.sql.mails import MailQueue
from adapters.sql.schema import MAILS
from adapters.sql.store import Span, Store
from agents.post import ATTEMPTS_MAX, FIRST_DEFER_MS, TAKEN_MAX, Post
from domain.ids import parse_order
from streams.logs import Log
from streams.metrics import ConfirmationMetrics
from tests.adapters.journeys import PATHS, TIME_MS, customer_of, journey, order_of

ADDRESS = b'{"name": "Ada\\nLovelace", "email": "ada@example.org", "line1": "1 St James"}'
MASTER = b"m" * 32


class Inbox:
    """A handler of aiosmtpd: keeps what it gets; `say` refuses recipients with such a reply."""

    def __init__(self) -> None:
        self.messages = []
        self.say = ""

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802 - aiosmtpd's name
        if self.say:
            return self.say
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - aiosmtpd's name
        self.messages.append(email.message_from_bytes(envelope.content, policy=default))
        return "250 OK"


class FreePort(Controller):
    """On whichever port is free."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@pytest.fixture
def inbox():
    return Inbox()


@pytest.fixture
def smtp(inbox):
    controller = FreePort(inbox, hostname="127.0.0.1", port=0)
    controller.start()
    yield SmtpServer("127.0.0.1", controller.port)
    controller.stop()


class Clock:
    now_ms = TIME_MS + 1_000_000

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def sealer(database):
    return Sealer(database, MASTER)


@pytest.fixture
def post_of(database, sealer, clock):
    """Makes a post for a mailer, which is closed at the end."""
    with ExitStack() as mailers:

        def make(mailer) -> Post:
            mailers.callback(mailer.close)
            return Post(database, sealer, mailer, Log("test"), ConfirmationMetrics(), clock)

        yield make


def live(database, sealer, path: str = "done", number: int = 1, *, mail: bool = True, address: bytes = ADDRESS) -> int:
    """An order's whole life; how many mails it has for its customer."""
    sealed = sealer.seal(bytes.fromhex(customer_of(number)), parse_order(order_of(number)), address) if address else b""
    events = list(journey(number, path, sealed=sealed, first=1 + 100 * number))
    return Store(database).apply(Span("order.events", number, 0, len(events) - 1), events, mail=mail).mails


def sent(folder) -> dict[str, str]:
    """Subject -> text of all messages in a folder."""
    messages = [email.message_from_bytes(path.read_bytes(), policy=default) for path in sorted(folder.iterdir())]
    return {message["Subject"].replace(order_of(1), "X"): message.get_content() for message in messages}


def test_a_confirmed_order_gets_one_mail_with_its_lines_and_its_total(database, sealer, tmp_path, post_of):
    assert live(database, sealer) == 1
    post = post_of(FolderMailer(tmp_path / "mail", "shop@example.org"))
    assert [post.send_due(), post.send_due()] == [1, 0]
    (file,) = (tmp_path / "mail").iterdir()
    message = email.message_from_bytes(file.read_bytes(), policy=default)
    assert (message["From"], message["To"]) == ("shop@example.org", "ada@example.org")
    assert message["Subject"] == f"Your order {order_of(1)} is confirmed"
    text = message.get_content().replace("\r\n", "\n")
    assert "Hello Ada Lovelace,\n" in text
    assert "  2 x sku  25.00 EUR\n  Total  25.00 EUR\n" in text
    assert MailQueue(database).counts() == {"sent": 1}


@pytest.mark.parametrize(
    ("path", "subjects"),
    [
        ("returned", ["confirmed", "shipped", "delivered", "refunded"]),
        ("declined", ["cancelled"]),
        ("expired", ["expired"]),
    ],
)
def test_each_transition_that_matters_to_a_customer_gets_a_mail(database, sealer, tmp_path, path, subjects, post_of):
    assert live(database, sealer, path) == len(subjects)
    post = post_of(FolderMailer(tmp_path / "mail"))
    assert post.send_due() == len(subjects)
    names = sorted(file.name.split(".")[-2] for file in (tmp_path / "mail").iterdir())
    assert names == sorted(subjects)
    assert all("{" not in text for text in sent(tmp_path / "mail").values())


def test_every_template_is_there_and_every_path_of_the_tests_is_written(database, sealer, tmp_path, post_of):
    assert {file.stem for file in FOLDER.glob("[a-z]*.txt")} == TEMPLATES
    count = sum(live(database, sealer, path, number) for number, path in enumerate(PATHS))
    assert post_of(FolderMailer(tmp_path / "mail")).send_due() == count


def test_an_order_without_an_address_gets_none(database, sealer, tmp_path, post_of):
    assert live(database, sealer, address=b"") == 0
    assert post_of(FolderMailer(tmp_path / "mail")).send_due() == 0


def test_an_address_that_no_mail_can_go_to_is_given_up(database, sealer, tmp_path, post_of):
    bad = [b"no json", b"[]", b'{"email": 7}', b'{"email": "a@b\\r\\nBcc: c@d"}', b'{"name": "Ada"}']
    assert sum(live(database, sealer, number=i, address=address) for i, address in enumerate(bad)) == len(bad)
    assert post_of(FolderMailer(tmp_path / "mail")).send_due() == len(bad)
    assert MailQueue(database).counts() == {"failed": len(bad)}
    assert not (tmp_path / "mail").exists()


def test_an_erased_customer_gets_no_mail(database, sealer, tmp_path, post_of):
    live(database, sealer)
    sealer.erase(bytes.fromhex(customer_of(1)))
    post_of(FolderMailer(tmp_path / "mail")).send_due()
    assert MailQueue(database).counts() == {"failed": 1}


def test_a_chunk_that_is_applied_again_makes_no_second_mail(database, sealer, tmp_path, post_of):
    live(database, sealer)
    post = post_of(FolderMailer(tmp_path / "mail"))
    assert post.send_due() == 1
    live(database, sealer)
    assert post.send_due() == 0


def test_what_a_replay_finds_is_past_and_never_sent(database, sealer, tmp_path, post_of):
    live(database, sealer, mail=False)
    assert post_of(FolderMailer(tmp_path / "mail")).send_due() == 0
    assert MailQueue(database).counts() == {"past": 1}


def test_a_mail_that_was_taken_when_its_program_died_is_not_sent_again(database, sealer, clock, tmp_path, post_of):
    live(database, sealer)
    (mail,) = MailQueue(database).take(clock(), 10)
    assert (mail.template, mail.attempts) == ("confirmed", 1)
    assert post_of(FolderMailer(tmp_path / "mail")).send_due() == 0
    assert MailQueue(database).counts() == {"taken": 1}


def test_two_programs_never_take_the_same_mail(database, sealer, clock):
    count = 3 * TAKEN_MAX
    for number in range(count):
        live(database, sealer, number=number)

    async def both() -> list:
        takes = [asyncio.to_thread(MailQueue(database).take, clock(), TAKEN_MAX) for _ in range(4)]
        return [mail for taken in await asyncio.gather(*takes) for mail in taken]

    taken = asyncio.run(both())
    assert len({mail.order for mail in taken}) == len(taken) == count


def test_a_server_gets_the_mail_over_one_connection(database, sealer, smtp, inbox, post_of):
    for number in range(3):
        live(database, sealer, number=number)
    assert post_of(SmtpMailer(smtp, "shop@example.org")).send_due() == 3
    assert {message["To"] for message in inbox.messages} == {"ada@example.org"}
    assert len({message["Message-ID"] for message in inbox.messages}) == 3


def test_what_a_server_does_not_take_now_is_tried_again_later_and_in_the_end_given_up(
    database, sealer, clock, smtp, inbox, post_of
):
    live(database, sealer)
    inbox.say = "451 later"
    post = post_of(SmtpMailer(smtp))
    assert post.send_due() == 1
    assert post.send_due() == 0, "not before its time"
    assert MailQueue(database).counts() == {"due": 1}
    clock.now_ms += FIRST_DEFER_MS
    inbox.say = ""
    assert post.send_due() == 1
    assert len(inbox.messages) == 1
    live(database, sealer, number=2)
    inbox.say = "451 later"
    for _ in range(ATTEMPTS_MAX):
        assert post.send_due() == 1
        clock.now_ms += 3_600_000
    assert MailQueue(database).counts() == {"sent": 1, "failed": 1}


def test_what_a_server_refuses_is_given_up_and_its_words_are_not_repeated(
    database, sealer, smtp, inbox, post_of, caplog
):
    live(database, sealer)
    inbox.say = "550 5.1.1 <ada@example.org>: nobody here"
    post_of(SmtpMailer(smtp)).send_due()
    assert MailQueue(database).counts() == {"failed": 1}
    with database.reading() as connection:
        assert connection.execute(select(MAILS.c.message)).scalars().all() == ["the server says 550 5.1.1"]
    assert "550 5.1.1" in caplog.text
    assert "example.org" not in caplog.text


def test_a_server_that_is_away_defers_and_one_that_breaks_off_does_not(
    database, sealer, clock, smtp, monkeypatch, post_of
):
    live(database, sealer)
    away = SmtpMailer(SmtpServer("127.0.0.1", 9))
    post_of(away).send_due()
    assert MailQueue(database).counts() == {"due": 1}

    def broken(self, message):
        error = "reset"
        raise smtplib.SMTPServerDisconnected(error)

    monkeypatch.setattr(smtplib.SMTP, "send_message", broken)
    clock.now_ms += FIRST_DEFER_MS
    post_of(SmtpMailer(smtp)).send_due()
    assert MailQueue(database).counts() == {"failed": 1}


def test_a_folder_that_cannot_be_written_defers(database, sealer, tmp_path, post_of):
    (tmp_path / "mail").write_text("a file")
    live(database, sealer)
    post_of(FolderMailer(tmp_path / "mail")).send_due()
    assert MailQueue(database).counts() == {"due": 1}


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (1250, "EUR", "12.50 EUR"), (5, "USD", "0.05 USD"), (1250, "JPY", "1250 JPY"), (1250, "KWD", "1.250 KWD"),
        (123456789012345678, "EUR", "1234567890123456.78 EUR"), (0, "EUR", "0.00 EUR"),
    ],
)  # fmt: skip
def test_money_is_written_as_people_do(amount, currency, text):
    assert money(amount, currency) == text


def test_the_setting_says_where_mail_goes(tmp_path):
    assert isinstance(mailer_of("", tmp_path), FolderMailer)
    assert isinstance(mailer_of(str(tmp_path), tmp_path / "other"), FolderMailer)
    mailer = mailer_of("smtp://u%40x:p%2F@mail.example:2525?from=shop@example.org&starttls=1", tmp_path)
    assert isinstance(mailer, SmtpMailer)
    assert mailer.sender == "shop@example.org"
    assert mailer._server == SmtpServer("mail.example", 2525, "starttls", "u@x", "p/")
    assert mailer_of("smtps://mail.example", tmp_path)._server == SmtpServer("mail.example", 465, "tls")
    for bad in ("http://x", "smtp://", "smtp://x?to=y"):
        with pytest.raises(ValueError, match="expected a folder"):
            mailer_of(bad, tmp_path)
