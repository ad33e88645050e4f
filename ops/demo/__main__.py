"""`python -m ops.demo JOB`: the shoppers of `turnstile demo`, in a process of their own."""

import sys
from pathlib import Path

import msgspec
import uvloop

from ops.demo.load import Job, run
from streams.keys import load


def main() -> None:
    """Read the job's file and do it."""
    job = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Job)
    uvloop.run(run(job, load(Path(job.data_dir))))


if __name__ == "__main__":
    main()
