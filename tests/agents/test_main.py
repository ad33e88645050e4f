"""`python -m agents ROLE`: a wrong setting is said in a line, and ends with the code for it."""

import subprocess
import sys

import pytest

from agents import exits
from settings import environment_with
from tests.source import ROOT

pytestmark = pytest.mark.slow  # processes are started


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"log_level": "loud"}, "log level 'loud' is not one of debug, info, warning, error\n"),
        ({"partitions": "x"}, "TURNSTILE_PARTITIONS: Input should be a valid integer"),
    ],
    ids=str,
)
def test_a_wrong_setting_is_a_line_and_78(settings, said):
    argv = (sys.executable, "-m", "agents", "inventory")
    done = subprocess.run(argv, cwd=ROOT, env=environment_with(settings), capture_output=True, text=True, check=False)
    assert done.returncode == exits.CONFIGURATION
    assert done.stderr.startswith(said)
    assert len(done.stderr.splitlines()) == 1
