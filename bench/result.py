"""What a run of a scenario came to, as it is kept in bench/results/NAME.json."""

from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import NamedTuple

import msgspec

RESULTS = Path(__file__).parent / "results"
"""Not committed: figures are of one machine and one day. `python -m bench docs` makes the committed page of them."""


class ResultError(ValueError):
    """A file that is no result; the message says which."""


class Judged(msgspec.Struct, frozen=True):
    """A goal in words, the median that stands against it, and whether that is good enough."""

    goal: str
    value: float
    met: bool


class Result(msgspec.Struct, frozen=True):
    """`figures`: arm -> name -> one value a round, in order of the rounds, of equal length in all arms.

    With violations there are no figures: a wrong ledger has no speed.
    """

    scenario: str
    question: str
    quick: bool
    rounds: int
    took_s: float
    violations: int
    machine: dict[str, str | int | float]
    figures: dict[str, dict[str, list[float]]]
    goals: list[Judged] = []
    curves: dict[str, dict[str, list[tuple[float, float]]]] = {}
    """Arm -> line -> points, of the last round that was drawn."""

    @property
    def failed(self) -> bool:
        """Whether the auditor found anything."""
        return self.violations > 0


class Spread(NamedTuple):
    """Median, lowest and highest of one figure's rounds."""

    median: float
    least: float
    most: float


def spread(values: list[float]) -> Spread:
    """Of one value at least."""
    return Spread(median(values), min(values), max(values))


def path_of(name: str, *, quick: bool, folder: Path = RESULTS) -> Path:
    """Where a scenario's result is kept: a quick run does not overwrite a full one."""
    return folder / f"{name}{'.quick' if quick else ''}.json"


def save(result: Result, folder: Path = RESULTS) -> Path:
    """Overwrite the scenario's last result; its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = path_of(result.scenario, quick=result.quick, folder=folder)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1))
    return path


def load(path: Path) -> Result:
    """ResultError if it is none."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Result)
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise ResultError(message) from error
    except ValueError as error:  # msgspec.MsgspecError is one
        message = f"{path} is no result of a bench: {error}"
        raise ResultError(message) from error


def names(figures: Mapping[str, Mapping[str, list[float]]]) -> list[str]:
    """Every figure's name, in the order in which the arms have them."""
    return list(dict.fromkeys(name for arm in figures.values() for name in arm))
