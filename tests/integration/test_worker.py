"""An inventory worker as a process, on a real broker: commands in, decisions and facts out."""

import pytest

pytestmark = pytest.mark.integration


async def test_a_worker_claims_every_partition_and_stops_when_asked(stage):
    with stage.worker("w1") as worker:
        for partition in range(stage.partitions):
            await worker.until_logged("partition.claimed", partition=partition)
        assert worker.stop() == 0
        assert worker.logged("program.stopped")
