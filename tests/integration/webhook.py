"""Webhooks as Stripe would send them."""

import json

from stripe import WebhookSignature

from tests.integration.harness import Stage


def event(stage: Stage, order: str, **changes) -> bytes:
    """An event about the first attempt to pay an order."""
    metadata = {"environment": stage.log_id.hex(), "order": order, "attempt": "1"} | changes.pop("metadata", {})
    about = {"id": "pi_1", "object": "payment_intent", "metadata": metadata}
    return json.dumps({"id": "evt_1", "type": "payment_intent.succeeded", "data": {"object": about}} | changes).encode()


def signature(body: bytes, signer="whsec_new") -> dict[str, str]:
    """The header that goes with a body."""
    return {"Stripe-Signature": WebhookSignature.generate_signature_header(body.decode("latin-1"), signer)}
