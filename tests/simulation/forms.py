"""Parameters of a call as the provider gets them."""

from typing import Any


def flat(params: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """As the SDK's forms: `metadata[order]`, `expand[0]`."""
    form: dict[str, str] = {}
    for name, value in params.items():
        key = f"{prefix}[{name}]" if prefix else name
        if isinstance(value, dict):
            form |= flat(value, key)
        elif isinstance(value, list):
            form |= flat({str(index): one for index, one in enumerate(value)}, key)
        elif isinstance(value, bool):
            form[key] = "true" if value else "false"
        else:
            form[key] = str(value)
    return form
