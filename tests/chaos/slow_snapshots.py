"""An inventory worker that takes a second for each shard of a snapshot: `python -m tests.chaos.slow_snapshots`."""

import sys
import time
from unittest.mock import patch

from agents import inventory
from agents.frames import write_frame
from settings import WorkerSettings

SHARD_S = 1.0


def main() -> int:
    def slowly(*frame):
        sys.stdout.write('{"action": "shard.begun"}\n')
        sys.stdout.flush()
        time.sleep(SHARD_S)
        write_frame(*frame)

    with patch("agents.snapshots.write_frame", slowly):
        return inventory.run(WorkerSettings())


if __name__ == "__main__":
    sys.exit(main())
