"""The operator's command: `turnstile COMMAND ...`."""

import os
import sys

import typer

from ops.cli.catalogue import CATALOGUE
from ops.cli.complaint import Complaint
from ops.cli.lazy import LazyGroup, load_settings

ABOUT = "turnstile decides, in order and without locks, who gets the last unit."


def main() -> None:
    """Run a command. Exit codes: 0 done, 1 failed (a reason on stderr), 2 wrong usage, 130 interrupted."""
    group = LazyGroup("turnstile", ABOUT, CATALOGUE)
    try:
        group.main(prog_name="turnstile", obj=load_settings)
    except Complaint as complaint:
        typer.echo(f"error: {complaint.what}", err=True)
        if complaint.fix:
            typer.echo(f"  fix: {complaint.fix}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # python would complain once more at exit
        sys.exit(1)


if __name__ == "__main__":
    main()
