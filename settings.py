"""Settings: one frozen object per program, from TURNSTILE_* in the environment, read by the __main__ modules only."""

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

_PREFIX = "TURNSTILE_"


def _data_dir() -> Path:
    """$XDG_DATA_HOME/turnstile, as the XDG base directory specification says."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "turnstile"


def _cache_dir() -> Path:
    """$XDG_CACHE_HOME/turnstile: what can be fetched again (jars, the JVM's AOT cache)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "turnstile"


def problems(error: ValidationError) -> str:
    """What is wrong with which variable, in one line."""
    return "; ".join(f"{_PREFIX}{'_'.join(map(str, one['loc'])).upper()}: {one['msg']}" for one in error.errors())


class Shared(BaseSettings):
    """What every program reads."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True, extra="ignore")

    broker: str = Field("embedded://", description="embedded:// or kafka://host:port,host:port")
    namespace: str = Field(
        "",
        pattern=r"^([a-z0-9][a-z0-9_-]{0,63})?$",
        description="Prefix of all topics and groups, so that several turnstiles may share a cluster",
    )
    data_dir: Path = Field(
        default_factory=_data_dir,
        description="Keys, run file, snapshots, broker data; unless set otherwise SQLite, mails, the stand-in's book",
    )
    cache_dir: Path = Field(default_factory=_cache_dir, description="Jars; shared by all runs of this user")
    mirror: str = Field("", description="Base URL of a Maven mirror for the jars; their hashes make any trustworthy")
    broker_jvm: str = Field(
        "",
        description="Further Java options of the embedded broker, which is made to start fast and to be small: for "
        "long runs under load `-XX:TieredStopAtLevel=4 -Xmx1g` costs 10 s of CPU and saves a quarter from then on",
    )
    partitions: int = Field(8, ge=1, le=1024, description="P of every topic, when `topics apply` creates them")
    payments: str = Field(
        "stand-in://",
        description="Payment provider: stripe://, stand-in+http://host:port, or stand-in:// (`turnstile up` runs one)",
    )
    log_level: str = Field("info", description="debug, info, warning or error")
    log_format: str = Field("auto", description="json, console, or auto: console on a terminal")
    sql: str = Field(
        "",
        description="System of record: sqlite:///FILE or postgresql://...; default: turnstile.db in the data folder",
    )

    @property
    def sql_url(self) -> str:
        """Where the system of record is."""
        return self.sql or f"sqlite:///{self.data_dir.absolute() / 'turnstile.db'}"


class AgentSettings(Shared):
    """`python -m agents ROLE`, whatever the role."""

    worker: str = Field("", description="Name of this worker; default: derived from the process id")
    metrics_port: int = Field(0, description="Prometheus on 127.0.0.1; 0 = a free port, -1 = none")


class WorkerSettings(AgentSettings):
    """The owner roles: `python -m agents inventory`, `python -m agents order`."""

    takeover_ms: int = Field(500, ge=50, description="T of W9: silence before a waiting partition is taken over")
    snapshot_after: int = Field(
        1_000_000,
        ge=0,
        description="Decisions behind a partition's last snapshot at which an owner has the next one made by a process "
        "of its own; a warm standby makes one after half as many; 0 = none are made or used",
    )


class SnapshotSettings(AgentSettings):
    """`python -m agents snapshot`, which an owner role starts."""

    snapshot_ledger: str = Field("stock", pattern="^(stock|order)$", description="Whose state: stock or order")
    snapshot_partition: int = Field(0, ge=0, description="Of that ledger")
    snapshot_from: str = Field(
        "ledger", pattern="^(ledger|worker)$", description="Fold the ledger, or take a worker's state from its stdin"
    )


class RelaySettings(AgentSettings):
    """`python -m agents relay`."""


class PaymentSettings(AgentSettings):
    """`python -m agents payment`, `python -m agents compensation`."""

    stripe_key: SecretStr = Field(SecretStr(""), description="Secret key at Stripe, for stripe://")
    calls_per_s: float = Field(
        25,
        ge=0,
        description="Calls that the provider allows in a second, of reads and of writes, to all agents together; "
        "Stripe: 25 with a test key, 100 live; 0 = no limit",
    )
    calls_in_flight: int = Field(256, ge=1, description="Calls of one agent at once")
    call_timeout_s: float = Field(30, gt=0, le=120, description="After this the outcome of a call counts as unknown")
    sweep_s: float = Field(600, gt=0, description="How often money without a living order is looked for")


class ConfirmationSettings(AgentSettings):
    """`python -m agents confirmation`."""

    mail: str = Field("", description="smtp://host:port, or a folder of .eml files; default: one in the data folder")


class StandInSettings(Shared):
    """`python -m adapters.stand_in`: Stripe's stand-in as a process of its own."""

    stand_in_port: int = Field(0, ge=0, le=65_535, description="Port on 127.0.0.1; 0 = a free one")
    stand_in_book: str = Field("", description="File of its book; default: stand-in.jsonl in the data folder")
    stand_in_behaviour: str = Field(
        "", description="Declines, latency, limits, faults and seed, such as declines=0.03&latency_ms=120&seed=7"
    )
    stand_in_webhook_url: str = Field("", description="Where its webhooks go; default: nowhere")
    stand_in_webhook_secret: SecretStr = Field(
        SecretStr(""), description="What its webhooks are signed with; two, comma separated, during rotation"
    )


class GatewaySettings(Shared):
    """`python -m gateway`."""

    webhook_secrets: SecretStr = Field(
        SecretStr(""), description="What the provider signs webhooks with; two, comma separated, during rotation"
    )

    gateway: str = Field("", description="Name of this gateway; default: derived from the process id")
    host: str = Field("127.0.0.1", description="Address to listen on")
    port: int = Field(8080, description="Port to listen on; 0 = a free one")
    batch_pace_ms: int = Field(5, ge=0, description="Beats at which batches of busy partitions are sent")
    queue_max: int = Field(50_000, ge=1, description="Own commands of a partition that are not decided yet, before 503")
    wait_max_s: float = Field(2.0, gt=0, description="Expected wait for a decision above which purchases get 503")
    rate_per_s: float = Field(100, ge=0, description="Requests a client may make in the long run; 0 = no limit")
    rate_burst: int = Field(200, ge=1, description="Requests a client may make at once")
    view_window_s: int = Field(1_800, ge=1, description="How far a starting gateway reads facts back: hold + 15 min")


def environment_with(values: Mapping[str, object]) -> dict[str, str]:
    """The environment of a child: ours, and these settings as TURNSTILE_* (`{"port": 8081}`)."""
    prefix = Shared.model_config["env_prefix"]
    return {**os.environ, **{f"{prefix}{name.upper()}": str(value) for name, value in values.items()}}
