"""The payment role: authorises and captures at the provider what orders ask for, and looks up what it hints at."""

from agents import money
from agents.money import Office
from domain.orders import TO_PAYMENT
from settings import PaymentSettings
from streams.actions import Action

OFFICE = Office("payment", TO_PAYMENT, share=0.85, alarm=Action.PAYMENT_UNKNOWN)
"""The rest of the limit is the compensation role's: voids are rare, but must not stand in a queue of payments."""


def run(settings: PaymentSettings) -> int:
    """Run until asked to stop; the exit code (agents/exits.py)."""
    return money.run(settings, OFFICE)
