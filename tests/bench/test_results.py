"""Results as files, tables, plots, ratios and a page."""

import io

import pytest

from bench import compare, docs
from bench.plots import plot
from bench.progress import Progress
from bench.report import markdown, number
from bench.result import Judged, Result, ResultError, load, path_of, save
from bench.scenario import Scenario
from tests.bench.scenarios import Rounds, scenario


def result(**changes) -> Result:
    plain = {
        "scenario": "test",
        "question": "Which one is faster?",
        "quick": False,
        "rounds": 3,
        "took_s": 12.0,
        "violations": 0,
        "machine": {"cores": 2},
        "figures": {
            "fast": {"work_per_s": [300.0, 100.0, 200.0], "p99_ms": [1.25, 1.5, 1.0]},
            "slow": {"work_per_s": [50.0] * 3},
        },
        "goals": [
            Judged("work_per_s of fast at least 150", 200.0, met=True),
            Judged("p99_ms of fast at most 1", 1.25, met=False),
        ],
    }
    return Result(**{**plain, **changes})


def named(*names: str) -> dict[str, Scenario]:
    return {name: scenario(Rounds({}), name=name) for name in names}


FAILED = {"violations": 2, "figures": {}, "goals": []}


def test_a_table_has_medians_spreads_and_goals():
    assert markdown(result()).splitlines() == [
        "### test",
        "",
        "Which one is faster?",
        "",
        "| | work_per_s | p99_ms |",
        "|---|---:|---:|",
        "| fast | 200 (100 to 300) | 1.25 (1 to 1.5) |",
        "| slow | 50 (50 to 50) |  |",
        "",
        "Median (lowest to highest) of 3 rounds in turn, 12 s. No violation.",
        "",
        "| goal | measured | |",
        "|---|---:|---|",
        "| work_per_s of fast at least 150 | 200 | reached |",
        "| p99_ms of fast at most 1 | 1.25 | missed |",
    ]


def test_more_figures_than_arms_are_rows():
    lines = markdown(result(figures={"fast": {"a_ms": [1.0], "b_ms": [2.0]}})).splitlines()
    assert lines[4:8] == ["| | fast |", "|---|---:|", "| a_ms | 1 |", "| b_ms | 2 |"]


def test_a_failed_run_shows_no_speed_anywhere(tmp_path):
    failed = result(**FAILED)
    assert "2 violations" in markdown(failed)
    assert "|" not in markdown(failed)
    assert plot(failed, tmp_path) == []
    assert "2 violations" in docs.page(named("test"), save(failed, tmp_path).parent)
    with pytest.raises(ResultError, match="it has no speed"):
        compare.compare(result(), failed)


@pytest.mark.parametrize(
    ("value", "text"),
    [(142_310.4, "142,310"), (27.44, "27.4"), (0.3312, "0.331"), (7.0, "7"), (1000.0, "1,000"), (99.96, "100")],
)  # fmt: skip
def test_numbers_have_three_digits_or_so(value, text):
    assert number(value) == text


def test_a_result_is_kept_as_it_was_and_a_quick_one_beside_the_full_one(tmp_path):
    full, quick = result(), result(quick=True)
    assert save(full, tmp_path) != save(quick, tmp_path)
    assert load(path_of("test", quick=False, folder=tmp_path)) == full
    assert load(path_of("test", quick=True, folder=tmp_path)) == quick


@pytest.mark.parametrize("text", ["", "{}", '{"scenario": 1}', "nonsense"])
def test_a_file_that_is_no_result_is_named(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(ResultError, match=r"x\.json is no result"):
        load(tmp_path / "x.json")
    with pytest.raises(ResultError, match="No such file"):
        load(tmp_path / "y.json")


def test_two_results_are_compared_by_their_medians():
    other = result(figures={"fast": {"work_per_s": [400.0], "cpu_us": [1.0]}, "new": {"work_per_s": [1.0]}})
    (ratio,) = compare.compare(result(), other)
    assert (ratio.arm, ratio.figure, ratio.a, ratio.b, ratio.ratio) == ("fast", "work_per_s", 200, 400, 2)
    assert "| fast | work_per_s | 200 | 400 | 2.000 |" in compare.table([ratio])
    nothing = compare.compare(result(figures={"fast": {"work_per_s": [0.0]}}), other)
    assert nothing[0].ratio is None
    with pytest.raises(ResultError, match="test cannot be compared with else"):
        compare.compare(result(), result(scenario="else"))


@pytest.mark.slow
def test_a_result_is_drawn_with_its_curves(tmp_path):
    """Of arms that are far apart, too."""
    curves = {"fast": {"line": [(0.0, 1.0), (1.0, 2.0)]}, "slow": {}}
    figures = {"fast": {"work_per_s": [1.0, 2.0]}, "slow": {"work_per_s": [1000.0, 900.0]}}
    paths = plot(result(curves=curves, figures=figures), tmp_path)
    assert [path.name for path in paths] == ["test.svg", "test.curves.svg"]
    assert all("</svg>" in path.read_text() for path in paths)
    assert [path.name for path in plot(result(quick=True), tmp_path)] == ["test.quick.svg"]


def test_the_page_has_every_scenario_in_order_with_its_last_full_result(tmp_path):
    for name in ("b", "a"):
        save(result(scenario=name), tmp_path)
    save(result(scenario="c", quick=True), tmp_path)
    page = docs.page(named("a", "b", "c"), tmp_path)
    sections = dict(part.split("\n", 1) for part in page.split("\n## ")[1:])
    assert list(sections) == ["a", "b", "c"]
    assert all("Which one is faster?\n\nA scenario in memory" in text for text in sections.values())
    assert "| fast | 200 (100 to 300) |" in sections["a"]
    assert "`turnstile bench a` on: cores 2." in sections["a"]
    assert sections["c"].endswith("Not measured here yet.\n")
    written = docs.write(named("a"), tmp_path, tmp_path / "page")
    assert written.read_text() == docs.page(named("a"), tmp_path)


def test_progress_is_a_line_a_step_with_the_time_left(monkeypatch):
    out, now = io.StringIO(), iter([0.0, 100.0, 110.0, 400.0, 500.0])
    monkeypatch.setattr("time.monotonic", lambda: next(now))
    tell = Progress("test", out)
    for done, words in ((0, "setting up"), (0, "a"), (1, "b"), (2, "c"), (4, "auditing")):
        tell(done, 4, words)
    assert out.getvalue().splitlines() == [
        "test [0/4] setting up",
        "test [0/4] a",
        "test [1/4, 30 s left] b",
        "test [2/4, 5 min left] c",
        "test [4/4] auditing",
    ]
