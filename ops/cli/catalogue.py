"""The commands of `turnstile`: name, module, one line of help. The module is imported when its command is called."""

from typing import NamedTuple


class Entry(NamedTuple):
    """One command; its module has COMMANDS, a mapping of name to function ("" = the command itself)."""

    name: str
    module: str
    help: str


CATALOGUE = (
    Entry("demo", "ops.cli.demo", "Sell a drop to thousands of shoppers, kill a worker, prove the result."),
    Entry("up", "ops.cli.up", "Start a broker, workers and gateways; Ctrl-C stops them."),
    Entry("worker", "ops.cli.worker", "Run one worker of a role in the foreground."),
    Entry("gateway", "ops.cli.gateway", "Run one gateway in the foreground."),
    Entry("topics", "ops.cli.topics", "Create or check the topics (apply, check)."),
    Entry("sku", "ops.cli.sku", "Products: add, adjust, open, close, show."),
    Entry("seed", "ops.cli.seed", "Add ten sample products and open them; may be repeated."),
    Entry("buy", "ops.cli.buy", "Buy as a customer and wait for the decision."),
    Entry("order", "ops.cli.order", "Orders: show, list, cancel, pay, ship, deliver, return, refund, settle."),
    Entry("owners", "ops.cli.owners", "Who owns and who stands by each partition, epoch and lag."),
    Entry("move", "ops.cli.move", "Move a partition to a worker, or let it be automatic again."),
    Entry("ledger", "ops.cli.ledger", "The ledger: show, export, rule."),
    Entry("verify", "ops.cli.verify", "Audit the ledger of a broker or of an exported file."),
    Entry("sql", "ops.cli.sql", "The system of record: rebuild."),
    Entry("customer", "ops.cli.customer", "What is kept of a person: erase."),
    Entry("stripe", "ops.cli.stripe", "The payment provider's stand-in: serve, listen, trigger, book."),
    Entry("bench", "ops.cli.bench", "Measure scenarios on this machine; compare results."),
    Entry("doctor", "ops.cli.doctor", "Check this machine and the system, and say how to mend what is wrong."),
    Entry("token", "ops.cli.token", "Make a bearer token for a customer."),
)
