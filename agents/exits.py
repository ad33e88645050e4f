"""Exit codes of `python -m agents ROLE`, after sysexits.h. The supervisor starts again whatever it did not stop.

2 is argparse's own: the command line was wrong.
"""

STOPPED = 0
"""Asked to stop (TERM or INT), everything was handed over or the time for it was up."""
UNAVAILABLE = 69
"""The broker cannot be reached, or its topics are not there yet: `turnstile up`, `turnstile topics apply`."""
SOFTWARE = 70
"""W5: it is not known what was written, or a bug ended a task. Another worker takes over; restart."""
TEMPORARY = 75
"""The watchdog found this process hanging: no assignment, no fetch, or no progress. Restart."""
CONFIGURATION = 78
"""A setting is wrong, or the topics belong to another log than they say."""
