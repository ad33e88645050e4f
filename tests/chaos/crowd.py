"""A gateway without HTTP, and its crowd: `python -m tests.chaos.crowd SKU RATE SECONDS`.

Purchases come at RATE a second, whatever became of those before (open loop); nothing over HTTP is that fast. Prints
`Told` as JSON when all that was admitted is decided, or a minute after.
"""

import asyncio
import sys
import time
from collections import Counter

import msgspec
import uvloop

from bench import crowd
from bench.system import gateway_service
from gateway.problems import ProblemError
from gateway.service import Service
from settings import GatewaySettings
from streams import runfile
from streams.topics import named

DECIDED_S = 60.0


class Told(msgspec.Struct, tag_field="action", tag="crowd.told"):
    """What the crowd saw. Waits are those for a decision, of what was admitted."""

    asked: int
    admitted: int
    decided: int
    longest_s: float
    outcomes: dict[str, int]
    problems: dict[str, int]
    retry_after_s_max: int


class Crowd(crowd.Crowd):
    """All of it waits, and knows why it was turned away."""

    def __init__(self, service: Service) -> None:
        super().__init__(service, measured=1)
        self._problems: Counter[str] = Counter()
        self._retry_after_s_max = 0

    def on_turned_away(self, error: ProblemError) -> None:
        self._problems[error.problem.label] += 1
        self._retry_after_s_max = max(self._retry_after_s_max, int((error.headers or {})["Retry-After"]))

    async def settle(self) -> Told:
        """Wait until everything is decided."""
        end_s = time.monotonic() + DECIDED_S
        while self.waiting and time.monotonic() < end_s:
            await asyncio.sleep(crowd.TICK_S)
        admitted = self.asked.total()
        return Told(
            admitted + self.turned_away,
            admitted,
            len(self.waits_s),
            max(self.waits_s, default=0.0),
            dict(self.outcomes),
            dict(self._problems),
            self._retry_after_s_max,
        )


async def run(sku: str, rate: float, seconds: float) -> Told:
    """Be a gateway for as long as it takes."""
    settings = GatewaySettings()
    async with gateway_service(settings.data_dir, runfile.resolve(settings), named(settings.namespace)) as service:
        buyers = Crowd(service)
        sys.stdout.write('{"action": "crowd.ready"}\n')
        await buyers.buy({sku: rate}, seconds)
        return await buyers.settle()


def main() -> int:
    sku, rate, seconds = sys.argv[1:]
    told = uvloop.run(run(sku, float(rate), float(seconds)))
    sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
