"""order.events as an AsyncAPI 3.0 document, made from the catalogue of event types: docs/reference/asyncapi.json."""

from inspect import cleandoc
from typing import Any

import msgspec

from streams.order_events import DECIDED_TYPE, EVENT_TYPES, Decided, EventType, OrderEvent, source_of
from streams.topics import CATALOGUE

SCHEMAS = "#/components/schemas/"
MESSAGES = "#/components/messages/"
BINDING = "0.5.0"
CHANNEL = "orderEvents"


def document() -> dict[str, Any]:
    """The whole document, of the plain namespace; topics and ce_source of another one carry its name."""
    messages = {_name(one): _message(one) for one in EVENT_TYPES}
    topic = CATALOGUE.order_events
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "turnstile: events of orders",
            "version": "1",
            "description": (
                "One record is one event: JSON, the CloudEvents 1.0 attributes as Kafka headers (binary mode). It "
                "is published at least once; one that comes again has the same ce_id, which is PARTITION:OFFSET:INDEX "
                "of the ledger record that it was derived from. First occurrences ascend within a partition, so a "
                "reader that keeps its place per partition in one transaction with its effect has each effect once."
            ),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            CHANNEL: {
                "address": topic.name,
                "title": "What becomes of orders",
                "description": "Key = order id; partition = the order ledger's, so an order's events stay in order.",
                "messages": {name: {"$ref": MESSAGES + name} for name in messages},
                "bindings": {
                    "kafka": {
                        "topic": topic.name,
                        "topicConfiguration": {
                            "cleanup.policy": [topic.cleanup],
                            "retention.ms": topic.retention_ms,
                        },
                        "bindingVersion": BINDING,
                    }
                },
            }
        },
        "operations": {
            "publishOrderEvents": {
                "action": "send",
                "channel": {"$ref": f"#/channels/{CHANNEL}"},
                "summary": "The order owner publishes what it decided, after the ledger has accepted it",
                "messages": [{"$ref": f"#/channels/{CHANNEL}/messages/{name}"} for name in messages],
            }
        },
        "components": {"messages": messages, "schemas": _schemas()},
    }


def _message(one: EventType) -> dict[str, Any]:
    shape = {"$ref": SCHEMAS + (Decided if one.name == DECIDED_TYPE else OrderEvent).__name__}
    fixed = {"properties": {name: {"const": value} for name, value in one.fixed.items()}, "required": [*one.fixed]}
    return {
        "name": one.name,
        "title": one.name.removeprefix("turnstile.").removesuffix(".v1"),
        "summary": one.meaning,
        "contentType": "application/json",
        "headers": {"allOf": [{"$ref": f"{SCHEMAS}CloudEvent"}, {"properties": {"ce_type": {"const": one.name}}}]},
        "payload": {"allOf": [shape, fixed]} if one.fixed else shape,
        "bindings": {"kafka": {"key": {"type": "string"}, "bindingVersion": BINDING}},
    }


def _schemas() -> dict[str, Any]:
    _, schemas = msgspec.json.schema_components([OrderEvent, Decided], ref_template=SCHEMAS + "{name}")
    schemas = {name: {**schema, "description": cleandoc(schema["description"])} for name, schema in schemas.items()}
    text = {"type": "string"}
    headers = {
        "content-type": {"const": "application/json"},
        "ce_specversion": {"const": "1.0"},
        "ce_id": {**text, "description": "PARTITION:OFFSET:INDEX; the same when the event is published again"},
        "ce_source": {**text, "format": "uri-reference", "examples": [source_of("")]},
        "ce_type": {**text, "description": "The name of one of the messages"},
        "ce_time": {**text, "format": "date-time", "description": "Log time of the decision"},
        "ce_subject": {**text, "description": "Order id; of answers to a batch its sender"},
    }
    return {**schemas, "CloudEvent": {"type": "object", "properties": headers, "required": [*headers]}}


def _name(one: EventType) -> str:
    """`turnstile.order.payment-pending.v1` as a key of components: orderPaymentPending."""
    words = one.name.removeprefix("turnstile.").removesuffix(".v1").replace("-", ".").split(".")
    return words[0] + "".join(word.capitalize() for word in words[1:])
