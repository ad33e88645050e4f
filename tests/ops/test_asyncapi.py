"""The AsyncAPI document: its structure, and that it says what is on the wire."""

import json

import pytest

from domain.orders import Public
from ops.asyncapi import document
from streams.order_events import DECIDED_TYPE, EVENT_TYPES, Decided, OrderEvent, encode
from tests.event_schemas import problems


def resolve(reference: str):
    assert reference.startswith("#/")
    found = document()
    for key in reference.removeprefix("#/").split("/"):
        found = found[key]
    return found


def references(node):
    if isinstance(node, dict):
        yield from [node["$ref"]] if "$ref" in node else []
        for child in node.values():
            yield from references(child)
    elif isinstance(node, list):
        for child in node:
            yield from references(child)


def event(**more):
    known = {"kind": "progressed", "order": "o", "partition": 1, "offset": 7, "index": 0, "time_ms": 1, "version": 1}
    return OrderEvent(**{**known, "state": "RESERVED", **more})


def test_it_is_asyncapi_3_with_one_channel_that_turnstile_writes_to():
    whole = document()
    assert whole["asyncapi"] == "3.0.0"
    assert set(whole) == {"asyncapi", "info", "defaultContentType", "channels", "operations", "components"}
    assert {"title", "version"} <= set(whole["info"])
    ((name, channel),) = whole["channels"].items()
    assert channel["address"] == "order.events"
    ((_, operation),) = whole["operations"].items()
    assert (operation["action"], operation["channel"]) == ("send", {"$ref": f"#/channels/{name}"})
    assert [one["$ref"] for one in operation["messages"]] == [
        f"#/channels/{name}/messages/{m}" for m in channel["messages"]
    ]
    for message in whole["components"]["messages"].values():
        assert set(message) == {"name", "title", "summary", "contentType", "headers", "payload", "bindings"}


def test_every_reference_leads_somewhere():
    found = list(references(document()))
    assert len(found) > 4 * len(EVENT_TYPES)
    for reference in found:
        assert resolve(reference)


def test_every_type_of_the_catalogue_is_a_message_and_every_public_state_is_a_type():
    names = [message["name"] for message in document()["components"]["messages"].values()]
    assert names == [one.name for one in EVENT_TYPES]
    assert {one.fixed["to"] for one in EVENT_TYPES if "to" in one.fixed} == set(Public)


@pytest.mark.parametrize("one", EVENT_TYPES, ids=lambda one: one.name)
def test_an_event_of_each_type_is_as_the_document_says(one):
    told = event(**one.fixed)
    if one.name == DECIDED_TYPE:
        told = Decided("gateway-1", 3, 1, 7, 9, 1, [51, 52])
    record = encode(told, "/turnstile/default/order.ledger")
    assert dict(record.headers)["ce_type"] == one.name.encode()
    assert problems(record.headers, record.value) == []


@pytest.mark.parametrize(
    ("change", "header"),
    [
        ({"order": 7}, {}),
        ({"lines": [{"line": 0}]}, {}),
        ({"to": "PAID"}, {}),
        ({}, {"ce_specversion": b"0.3"}),
        ({}, {"ce_type": b"turnstile.order.unheard-of.v1"}),
    ],
)
def test_what_is_not_as_the_document_says_is_found(change, header):
    record = encode(event(kind="changed", came_from="PAID", to="CONFIRMED"), "/turnstile/default/order.ledger")
    value = json.dumps({**json.loads(record.value), **change}).encode()
    assert problems(list({**dict(record.headers), **header}.items()), value) != []
