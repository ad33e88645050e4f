"""Latencies as a histogram keeps them, and gaps between decisions."""

import pytest

from bench.gaps import NoDecisionError, largest_s, rate, until_next_s
from bench.latency import Latencies
from bench.load import Moment


def test_percentiles_are_right_to_three_digits():
    latencies = Latencies(number / 1000 for number in range(1, 1_001))
    assert len(latencies) == 1_000
    figures = latencies.figures()
    assert figures == pytest.approx({"p50_ms": 500, "p99_ms": 990, "p999_ms": 999, "max_ms": 1_000}, rel=1e-3)


def test_latencies_of_two_processes_are_merged():
    one, other = Latencies([0.001] * 99), Latencies([5.0])
    one.merge(other.encoded())
    assert len(one) == 100
    assert one.figures() == pytest.approx({"p50_ms": 1, "p99_ms": 1, "p999_ms": 5_000, "max_ms": 5_000}, rel=1e-3)


def test_what_is_out_of_range_counts_as_the_shortest_or_longest_and_nothing_has_no_figures():
    assert Latencies([-1.0, 1e9]).figures()["max_ms"] == pytest.approx(60_000, rel=1e-3)
    assert Latencies([0.0]).figures()["p50_ms"] == pytest.approx(0.001)
    assert Latencies().figures() == {}


MOMENTS = [Moment(due_s=number, decided_s=number + 0.5, partition=0) for number in (1, 2, 3, 7, 8)]
MOMENTS += [Moment(due_s=3.5, decided_s=6.5, partition=0), Moment(due_s=2, decided_s=2, partition=1)]


def test_the_next_decision_is_of_a_request_that_was_due_after_the_fault():
    assert until_next_s(MOMENTS, 0, 3.2) == pytest.approx(3.3)
    assert until_next_s(MOMENTS, 0, 2.0) == pytest.approx(1.5)
    with pytest.raises(NoDecisionError):
        until_next_s(MOMENTS, 1, 2.0)


def test_the_largest_gap_is_between_decisions_in_the_order_in_which_they_were_made():
    assert largest_s(MOMENTS, 0, 0, 10) == pytest.approx(3.0)
    assert largest_s(MOMENTS, 0, 6.6, 10) == pytest.approx(1.0)
    with pytest.raises(NoDecisionError):
        largest_s(MOMENTS, 1, 0, 10)


def test_the_rate_has_bins_without_a_decision_too():
    assert rate(MOMENTS, {0}, 1.5, 1.0) == [(0, 1), (1, 1), (2, 1), (3, 0), (4, 0), (5, 1), (6, 1), (7, 1)]
    assert rate(MOMENTS, {3}, 0, 1.0) == []
