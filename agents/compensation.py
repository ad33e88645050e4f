"""The compensation role: voids, refunds, and money that no living order knows. It never gives up."""

from agents import money
from agents.money import Office
from domain.orders import TO_COMPENSATION
from settings import PaymentSettings
from streams.actions import Action

OFFICE = Office("compensation", TO_COMPENSATION, share=0.15, alarm=Action.REFUND_STUCK, sweeps=True, pace_ms=100)
"""Nobody waits for a void: events are read in larger chunks."""


def run(settings: PaymentSettings) -> int:
    """Run until asked to stop; the exit code (agents/exits.py)."""
    return money.run(settings, OFFICE)
