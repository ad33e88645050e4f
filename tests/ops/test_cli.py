"""The operator's command: fast help, and errors that say what to do instead of a traceback."""

import json
import os
import socket
import statistics
import subprocess
import sys
import time

import pytest

from adapters.sealing import Sealer, UnreadableError
from adapters.sql.database import Database
from domain.ids import customer_hash
from ops.cli.catalogue import CATALOGUE
from ops.cli.complaint import Complaint
from ops.cli.lazy import LazyGroup, load
from ops.cli.output import print_columns, print_fields
from ops.cli.verify import _records
from ops.demo.verdict import Judgement
from settings import Shared
from streams import keys, runfile
from streams.tokens import SCOPE_OPS, check

HELP_S = 0.3
ISSUE = {
    "up", "demo", "worker", "gateway", "topics", "sku", "seed", "buy", "owners", "move", "ledger", "verify", "doctor",
    "token", "stripe", "order", "sql", "customer", "bench",
}  # fmt: skip


def complained(done, what: str, code: int = 1) -> bool:
    """Ended with a reason on stderr, and no traceback."""
    assert "Traceback" not in done.stderr
    assert done.returncode == code, done.stderr
    assert what in done.stderr
    return True


def test_help_is_there_within_0_3_seconds_and_names_every_command():
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        done = subprocess.run((sys.executable, "-m", "ops", "--help"), capture_output=True, text=True, check=True)
        seconds.append(time.perf_counter() - started)
    assert {line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")} >= ISSUE
    assert min(seconds) < HELP_S, f"{statistics.median(seconds):.2f} s"


def test_help_imports_nothing_heavy():
    code = "import sys, ops.__main__; print(*sys.modules)"
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True)
    heavy = {"pydantic", "aiokafka", "aiohttp", "fastapi", "msgspec", "settings", "ops.deployment", "rich.console"}
    assert heavy & set(done.stdout.split()) == set()


def test_the_catalogue_is_the_issue_s_list():
    assert {entry.name for entry in CATALOGUE} == ISSUE


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_every_command_loads_and_has_help(entry, capsys):
    with pytest.raises(SystemExit) as ended:
        LazyGroup("turnstile", "", (entry,)).main([entry.name, "--help"], prog_name="turnstile")
    assert ended.value.code == 0
    assert f"Usage: turnstile {entry.name}" in capsys.readouterr().out
    assert load(entry).name == entry.name


def test_a_mistyped_command_is_answered_with_the_right_one(turnstile):
    assert complained(turnstile("ownres"), "Did you mean 'owners'", code=2)


@pytest.mark.parametrize(
    "arguments",
    [
        ("owners",),
        ("move", "0", "w1"),
        ("topics", "apply"),
        ("topics", "check"),
        ("ledger", "show", "0"),
        ("ledger", "export", "file"),
        ("ledger", "rule", "0", "1", "--reason", "x"),
        ("verify",),
        ("sql", "rebuild"),
        ("worker",),
        ("gateway",),
    ],
    ids=" ".join,
)
def test_without_a_broker_it_says_how_to_start_one(turnstile, arguments):
    assert complained(turnstile(*arguments), "run `turnstile up`")


@pytest.mark.parametrize(
    "arguments",
    [
        ("token", "--customer", "c1"),
        ("customer", "erase", "c1"),
        ("buy", "poster-a2"),
        ("seed",),
        ("sku", "show", "poster-a2"),
    ],
    ids=" ".join,
)
def test_without_keys_it_says_who_makes_them(turnstile, arguments):
    assert complained(turnstile(*arguments), "`turnstile up` makes the keys")


@pytest.mark.parametrize(
    "arguments",
    [("buy", "poster-a2"), ("seed",), ("sku", "open", "poster-a2")],
    ids=" ".join,
)
def test_without_a_gateway_it_says_how_to_start_one(turnstile, data_dir, arguments):
    keys.ensure(data_dir)
    done = turnstile(*arguments, "--url", "http://127.0.0.1:9")
    assert complained(done, "no answer from the gateway at http://127.0.0.1:9")
    assert "turnstile up" in done.stderr


def test_up_says_what_is_in_its_way_before_it_starts_anything(turnstile, data_dir):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = turnstile("up", "--port", str(taken.getsockname()[1]))
    assert complained(done, "port")
    assert "stopp" not in done.stdout + done.stderr
    runfile.write(data_dir, runfile.Run("127.0.0.1:9", os.getpid(), 8, bytes(16)))
    done = turnstile("up")
    assert complained(done, "it is running already")
    assert "stopp" not in done.stdout + done.stderr


def test_a_customer_is_erased_once_and_a_database_that_is_away_or_none_is_said(turnstile, data_dir):
    made = keys.ensure(data_dir)
    sealer = Sealer(Database(f"sqlite:///{data_dir / 'turnstile.db'}"), keys.load_address(data_dir))
    customer = customer_hash(made.customer, "ann")
    sealed = sealer.seal(customer, bytes(16), b"{}")
    said = [json.loads(turnstile("customer", "erase", "ann", "--json").stdout) for _ in range(2)]
    assert said == [{"customer": customer.hex(), "erased": erased} for erased in (True, False)]
    other = Sealer(Database(f"sqlite:///{data_dir / 'turnstile.db'}"), keys.load_address(data_dir))
    with pytest.raises(UnreadableError):
        other.open(customer, bytes(16), sealed)
    assert complained(turnstile("customer", "erase", "ann", sql=f"sqlite:///{data_dir}/none/x.db"), "TURNSTILE_SQL")
    assert complained(turnstile("customer", "erase", "ann", sql="mysql://x"), "expected sqlite:///FILE")
    with pytest.raises(Complaint, match="expected sqlite:///FILE"):
        _records(Shared(data_dir=data_dir, sql="mysql://x"), None, sql=True)


def test_an_address_that_is_none_is_an_error(turnstile, data_dir):
    keys.ensure(data_dir)
    assert complained(turnstile("seed", "--url", "localhost:8080"), "'localhost:8080' is no address of a gateway")


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"partitions": "many"}, "error: TURNSTILE_PARTITIONS: Input should be a valid integer"),
        ({"partitions": 0}, "error: TURNSTILE_PARTITIONS: Input should be greater"),
        ({"namespace": "No Such"}, "error: TURNSTILE_NAMESPACE: String should match"),
        ({"broker": "http://x"}, "expected embedded:// or kafka://"),
    ],
    ids=str,
)
def test_a_setting_that_is_none_is_an_error(turnstile, settings, what):
    assert complained(turnstile("owners", **settings), what)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("sku", "add", "x", "--price", "-1", "--units", "1"), "--price"),
        (("sku", "add", "x", "--units", "1"), "--price"),
        (("demo", "--hot", "1.5"), "--hot"),
        (("demo", "--shoppers", "0"), "--shoppers"),
        (("demo", "--brownout", "soon"), "a number with ms or s"),
        (("up", "--workers", "0"), "--workers"),
        (("move", "0"), "worker"),
        (("ledger",), "Usage: turnstile ledger"),
        (("buy",), "name one product"),
        (("buy", "a", "--lines", "b:1"), "name one product"),
        (("buy", "--lines", "a:x"), "is not SKU:QUANTITY"),
        (("order", "return", "x"), "--restock"),
        (("buy", "--lines", "a:1", "--quantity", "5"), "says its quantities itself"),
        (("order", "ship", "x", "--quantity", "1"), "go together"),
        (("order", "deliver", "x", "--line", "1"), "go together"),
        (("order", "return", "x", "--restock", "--quantity", "1"), "go together"),
        (("order", "settle", "x", "--outcome", "paid", "--reference", "r"), "--outcome"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_usage_ends_with_2(turnstile, arguments, what):
    assert complained(turnstile(*arguments), what, code=2)


def test_a_token_counts_at_the_gateways(turnstile, data_dir):
    made = keys.ensure(data_dir)
    claims = check(made.token, turnstile("token", "--customer", "c1").stdout.strip())
    assert (claims.customer, claims.scopes) == ("c1", frozenset())
    printed = json.loads(turnstile("token", "--customer", "o1", "--scope", "ops", "--hours", "2", "--json").stdout)
    claims = check(made.token, printed["token"])
    assert claims.scopes == {SCOPE_OPS}
    assert 7100 < claims.expires_s - time.time() <= 7200


@pytest.mark.parametrize(
    ("arguments", "what"),
    [(("--customer", ""), "1 to 128"), (("--customer", "x", "--scope", "root"), "no scope 'root'")],
    ids=["no name", "no such scope"],
)
def test_a_token_for_nobody_or_nothing_is_an_error(turnstile, data_dir, arguments, what):
    keys.ensure(data_dir)
    assert complained(turnstile("token", *arguments), what)


def test_keys_that_others_can_read_are_an_error(turnstile, data_dir):
    keys.ensure(data_dir)
    (data_dir / "keys" / "token.key").chmod(0o644)
    assert complained(turnstile("token", "--customer", "c1"), "can be read by others")


@pytest.mark.parametrize("text", ["", "no log at all"])
def test_a_file_that_is_no_export_is_an_error(turnstile, tmp_path, text):
    (tmp_path / "file").write_text(text)
    assert complained(turnstile("verify", str(tmp_path / "file")), "no complete log")


def test_a_file_that_is_not_there_is_an_error(turnstile, tmp_path):
    assert complained(turnstile("verify", str(tmp_path / "none")), "No such file")


def test_doctor_looks_without_a_broker_and_says_what_is_missing(turnstile):
    done = turnstile("doctor", "--json")
    findings = {finding["name"]: finding for finding in json.loads(done.stdout)}
    assert done.returncode == 1
    assert set(findings) >= {"java", "jars", "disk", "keys", "ports", "broker"}
    assert findings["java"]["ok"]
    assert not findings["broker"]["ok"]
    assert "turnstile up" in findings["broker"]["fix"]
    assert all(finding["fix"] for finding in findings.values() if not finding["ok"])


@pytest.mark.parametrize(("verdict", "code"), [("pass", 0), ("fail", 1)])
def test_the_demo_ends_with_its_verdict_as_json_and_as_exit_code(monkeypatch, capsys, verdict, code):
    figures = {
        "shoppers": 10, "units": 1, "skus": 2, "granted": 2, "sold": 1, "oversold": 0, "undersold": 0,
        "double_holds": 0, "duplicates": 3, "duplicates_absorbed": 3, "undecided": 0, "wrong_answers": 0,
        "fifo_violations": 0, "violations": 0, "decisions_per_s": 1.0, "p50_ms": 1.0, "p99_ms": 2.0, "killed": "w1",
        "claimed_by": "w2", "decided_at_kill": 0.5, "failover_s": 0.7, "verdict": verdict,
        "orders": 2, "confirmed": 1, "declined": 1, "captured": 100, "refunded": 0, "voided": 0,
        "confirmed_amount": 100, "double_charges": 0, "stuck_orders": 0,
    }  # fmt: skip

    async def ran(*_: object) -> Judgement:
        return Judgement(figures, ["a reason"] if code else [])

    monkeypatch.setattr("ops.cli.demo.run_demo", ran)
    demo = next(entry for entry in CATALOGUE if entry.name == "demo")
    with pytest.raises(SystemExit) as ended:
        LazyGroup("turnstile", "", (demo,)).main(["demo", "--json"], prog_name="turnstile", obj=lambda: None)
    assert ended.value.code == code
    out, err = capsys.readouterr()
    assert json.loads(out.splitlines()[-1]) == figures
    assert ("a reason" in err) == bool(code)


def test_columns_align_and_numbers_stand_to_the_right(capsys):
    print_columns(("name", "units"), [("a", 5), ("long-name", 1000)])
    assert capsys.readouterr().out.splitlines() == ["name       units", "a              5", "long-name   1000"]


def test_a_field_of_several_values_is_a_list_of_them(capsys):
    print_fields({"sku": {"sku": "a", "held": 3}, "as_of": "now"})
    assert capsys.readouterr().out.splitlines() == ["sku    sku a, held 3", "as of  now"]


def test_no_rows_are_headings_alone(capsys):
    print_columns(("name", "units"), [])
    print_fields({})
    assert capsys.readouterr().out == "name  units\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "what", "code"),
    [
        (["compare", "a", "b"], "No such file", 1),
        (["nonsense", "--quick", "--json"], "no scenario is called 'nonsense'", 2),
    ],
)
def test_bench_becomes_the_bench_s_own_program(arguments, what, code):
    argv = (sys.executable, "-m", "ops", "bench", *arguments)
    assert complained(subprocess.run(argv, capture_output=True, text=True, check=False), what, code)
