"""Records of order.events against the AsyncAPI document that is handed to others."""

import json
from functools import cache

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from ops.asyncapi import document
from tests.source import ROOT

DOCUMENT = "urn:asyncapi"


@cache
def validators() -> dict[str, tuple[Draft202012Validator, Draft202012Validator]]:
    """By ce_type: the validators of headers and payload, from the written document."""
    written = json.loads((ROOT / "docs/reference/asyncapi.json").read_text("utf-8"))
    assert written == document()
    registry = Registry().with_resource(DOCUMENT, Resource.from_contents(written, default_specification=DRAFT202012))

    def validator(name: str, part: str) -> Draft202012Validator:
        schema = {"$ref": f"{DOCUMENT}#/components/messages/{name}/{part}"}
        return Draft202012Validator(schema, registry=registry, format_checker=FormatChecker())

    return {
        message["name"]: (validator(name, "headers"), validator(name, "payload"))
        for name, message in written["components"]["messages"].items()
    }


def problems(headers: list[tuple[str, bytes]], value: bytes) -> list[str]:
    """What of a record is not as the document says."""
    texts = {name: text.decode() for name, text in headers}
    if texts.get("ce_type") not in validators():
        return [f"no message is named {texts.get('ce_type')}"]
    of_headers, of_payload = validators()[texts["ce_type"]]
    found = [*of_headers.iter_errors(texts), *of_payload.iter_errors(json.loads(value))]
    return [f"{list(error.absolute_path)}: {error.message}" for error in found]
