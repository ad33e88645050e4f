"""The port to a payment provider. What goes through it stands in domain/provider.py."""

from typing import Protocol

from domain.provider import Call, Reply


class Provider(Protocol):
    """Carries one call at a time, as often as it is asked to; never repeats one by itself, never raises for a reply.

    What leaves the outcome open (no answer in time, a cut connection, 5xx, 409) is the reply Unknown.
    """

    async def perform(self, call: Call) -> Reply:
        """Send the call and wait for its answer, within the provider's time limit."""
        ...

    async def close(self) -> None:
        """Close its connections. Calls in flight end as Unknown."""
        ...
