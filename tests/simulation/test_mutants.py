"""Every rule is there for something: without it the simulation finds what it prevents, with it the same seed passes."""

import pytest

from tests.simulation import covering, journey_mutants, mutants
from tests.simulation.journey import Journey
from tests.simulation.journey_mutants import UnmutatedJourney
from tests.simulation.mutants import Mutant, Unmutated
from tests.simulation.world import ViolationError, World, attempt

CAUGHT = [
    mutants.AckOffsetNotChecked,
    mutants.PublishedBeforeTheAck,
    mutants.WatermarkBeforeThePublishAck,
    mutants.NothingPublishedAgain,
    mutants.SnapshotsOfWhatMovesOn,
    mutants.OwnRecordsInAHoleNotPublished,
    mutants.StartsFromACommittedOffset,
    mutants.ClaimsWithoutFolding,
    mutants.FailedAppendForgiven,
    mutants.NoTicks,
    mutants.TicksNotCounted,
    mutants.NobodyTakesOver,
    mutants.NaiveClaims,
    mutants.NothingIsParked,
    mutants.FaultsStopThePartition,
    mutants.SoldAfterExpiryWithoutUnits,
    mutants.SoldAfterExpiryBeyondTheLimit,
    mutants.ReleasedWithoutState,
    mutants.RefusalsRememberedFor300Ms,
    mutants.ViewWithoutGuard,
    mutants.DecidedByChance,
    covering.AnyClaimCounts,
    covering.FenceAndChainOff,
    covering.SkewFenceAndChainOff,
    covering.SkewAndAllOff,
    covering.ClaimWithoutFoldingAndAllOff,
]
CAUGHT_ON_THE_JOURNEY = [
    journey_mutants.CapturedBeforeCommit,
    journey_mutants.RandomPaymentKeys,
    journey_mutants.GoneTakenForSold,
    journey_mutants.NothingVoided,
    journey_mutants.VoidsWithoutATombstone,
    journey_mutants.OrphansLeft,
    journey_mutants.EverythingDecidedAnew,
    journey_mutants.CancelBeforeBirthUnknown,
    journey_mutants.NothingResumed,
    journey_mutants.RelayAcksFirst,
    journey_mutants.OrderViewWithoutGuard,
]
COVERED = [covering.FenceOff, covering.ChainOff, covering.SkewOnly]
COVERED_SEEDS = 40


def name(mutant: type[Mutant]) -> str:
    return mutant.__name__


def find(mutant: type[Mutant], world: type[World]) -> int:
    """The first seed in which the mutant is caught."""
    for seed in range(mutant.seeds):
        error, _ = attempt(seed, mutant(), world)
        if error is not None:
            assert isinstance(error, ViolationError), error
            assert error.kind in mutant.kinds
            return seed
    pytest.fail(f"{mutant.__doc__} Not found in {mutant.seeds} seeds.")


@pytest.mark.slow
@pytest.mark.parametrize("mutant", CAUGHT, ids=name)
def test_without_this_rule_something_goes_wrong(mutant):
    seed = find(mutant, World)
    assert attempt(seed, Unmutated(mutant))[0] is None


@pytest.mark.slow
@pytest.mark.parametrize("mutant", CAUGHT_ON_THE_JOURNEY, ids=name)
def test_without_this_rule_an_order_goes_wrong(mutant):
    seed = find(mutant, Journey)
    assert attempt(seed, UnmutatedJourney(mutant), Journey)[0] is None


@pytest.mark.slow
@pytest.mark.parametrize("mutant", COVERED, ids=name)
def test_without_this_rule_alone_another_covers(mutant):
    errors = [error for seed in range(COVERED_SEEDS) if (error := attempt(seed, mutant())[0]) is not None]
    assert errors == []
