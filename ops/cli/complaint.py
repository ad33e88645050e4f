"""What a person at the command line is told when something cannot be done."""


class Complaint(Exception):  # noqa: N818 - a message to a person, not an error in the program
    """Printed without a traceback; exit code 1. `what` is wrong, and what to do about it: `fix`."""

    def __init__(self, *, what: str, fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix
