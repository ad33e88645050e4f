"""HMAC-SHA256, beside the library's."""

import hmac

from hypothesis import example, given
from hypothesis import strategies as st

from domain.mac import mac

TEXTS = st.binary(max_size=200)


@given(TEXTS, st.lists(TEXTS, min_size=1))
@example(b"k" * 64, [b"message"])
@example(b"k" * 65, [b"message"])
def test_every_digest_is_the_librarys(key, messages):
    for message in messages:
        assert mac(key, message) == hmac.digest(key, message, "sha256")
