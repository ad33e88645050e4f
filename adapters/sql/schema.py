"""The system of record's tables (SQLAlchemy Core): a copy of the order ledger and of stock's totals that SQL can read.

Column names are those that such tables have everywhere: `user_id` holds the customer's keyed hash (16 hex digits),
`product_id` the SKU. Money is in minor units of `currency`, times are milliseconds UTC of log time. Everything but
`customer_keys` and `mails` can be made again from the ledgers (`turnstile sql rebuild`).
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

VERSION = 1
"""Of these tables. A database of a later version is refused: older code would not know what it breaks."""

METADATA = MetaData()

SCHEMA = Table(
    "turnstile_schema",
    METADATA,
    Column("only", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
    Column("log_id", String(32)),  # of the log that the rows are a copy of; None before the first of them
)

ORDERS = Table(
    "orders",
    METADATA,
    Column("order_id", String(36), primary_key=True),
    Column("user_id", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("total_amount", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("shipping_address", LargeBinary),  # sealed (adapters/sealing.py); None: there is none
    Column("payment_method", String(255), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("compensating", Boolean, nullable=False),
    Column("goal", String(16), nullable=False),
    Column("reason", String(255), nullable=False),
    Column("pay", String(1), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("provider_id", String(255), nullable=False),
    Column("action", Text, nullable=False),
    Column("captured", BigInteger, nullable=False),
    Column("refunded", BigInteger, nullable=False),
    Column("deadline_at", BigInteger, nullable=False),
    Column("receipt", String(64), nullable=False),
    Column("partial", Boolean, nullable=False),
)
Index("orders_of_user", ORDERS.c.user_id, ORDERS.c.created_at.desc(), ORDERS.c.order_id.desc())

ORDER_ITEMS = Table(
    "order_items",
    METADATA,
    Column("order_id", String(36), primary_key=True),
    Column("line", Integer, primary_key=True, autoincrement=False),
    Column("product_id", String(255), nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("unit_price", BigInteger),  # None until stock has granted the line
    Column("subtotal", BigInteger),
    Column("currency", String(3), nullable=False),
    Column("partition", Integer, nullable=False),
    Column("state", String(1), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("deadline_at", BigInteger, nullable=False),
    Column("shipped", Integer, nullable=False),
    Column("delivered", Integer, nullable=False),
    Column("returned", Integer, nullable=False),
)

ORDER_EVENTS = Table(
    "order_events",
    METADATA,
    Column("event_id", String(48), primary_key=True),  # partition:ledger offset:index
    Column("order_id", String(36), nullable=False, index=True),
    Column("event_type", String(32), nullable=False),
    Column("from_state", String(16)),  # None in an order's first event, and where no state was left
    Column("to_state", String(16)),
    Column("event_data", Text, nullable=False),  # JSON: what the other columns do not say
    Column("created_at", BigInteger, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("ledger_offset", BigInteger, nullable=False),
    Column("event_index", Integer, nullable=False),
)

PAYMENTS = Table(
    "payments",
    METADATA,
    Column("payment_id", String(48), primary_key=True),  # order id:attempt
    Column("order_id", String(36), nullable=False, index=True),
    Column("attempt", Integer, nullable=False),
    Column("idempotency_key", String(96), nullable=False, unique=True),
    Column("amount", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("status", String(16), nullable=False),  # pending, completed, failed, refunded
    Column("provider_id", String(255), nullable=False),
    Column("captured", BigInteger, nullable=False),
    Column("refunded", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("completed_at", BigInteger),
)

INVENTORY = Table(
    "inventory",
    METADATA,
    Column("product_id", String(255), primary_key=True),
    *(
        Column(name, BigInteger, CheckConstraint(f"{name} >= 0"), nullable=False, default=0)
        for name in ("available", "reserved", "sold", "written_off", "received")
    ),
    Column("price", BigInteger),  # None until a policy was seen
    Column("currency", String(3)),
    Column("policy_version", BigInteger, nullable=False, default=0),
    Column("warehouse_id", String(16), nullable=False, default="main"),  # there is one
    Column("version", BigInteger, nullable=False, default=0),  # the pool's sequence
    Column("updated_at", BigInteger, nullable=False),
    CheckConstraint("received = available + reserved + sold + written_off", name="inventory_conserved"),
)

CURSORS = Table(
    "cursors",
    METADATA,
    Column("topic", String(255), primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("ledger_offset", BigInteger, nullable=False),
    Column("event_index", Integer, nullable=False),
    Column("log_offset", BigInteger, nullable=False),
)

CUSTOMER_KEYS = Table(
    "customer_keys",
    METADATA,
    Column("user_id", String(16), primary_key=True),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

MAILS = Table(
    "mails",
    METADATA,
    Column("order_id", String(36), primary_key=True),
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("template", String(32), nullable=False),
    Column("state", String(16), nullable=False),  # adapters/sql/mails.py: State
    Column("created_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("message", String(255), nullable=False),
    Index("mails_due", "state", "due_at"),
)
