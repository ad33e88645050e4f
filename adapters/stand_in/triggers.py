"""What may happen to an intent without a call."""

from enum import StrEnum


class Trigger(StrEnum):
    """3-D Secure passed or failed (or a slow payment ended so), an authorisation grown too old."""

    COMPLETE = "complete"
    FAIL = "fail"
    EXPIRE = "expire"
