"""Addresses of the stand-in: `stand-in://?QUERY` in process, `stand-in+http://HOST:PORT` as its own process."""

IN_PROCESS = "stand-in://"
OVER_HTTP = "stand-in+http://"


def http_address(url: str) -> str:
    """`http://HOST:PORT`, for the SDK's base_addresses; ValueError for another scheme."""
    if not url.startswith(OVER_HTTP):
        message = f"{url}: expected {OVER_HTTP}HOST:PORT"
        raise ValueError(message)
    return "http://" + url.removeprefix(OVER_HTTP).rstrip("/")
