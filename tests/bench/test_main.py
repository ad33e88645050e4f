"""`python -m bench`: what it prints, keeps and returns."""

import json

import pytest

from bench.__main__ import main
from bench.result import load, path_of
from bench.scenario import Goal
from bench.scenarios.catalogue import CATALOGUE
from ops.deployment import DeploymentError
from tests.bench.scenarios import FAST, FIGURES, SLOW, DrawnRounds, Rounds, scenario

pytestmark = pytest.mark.slow  # matplotlib is imported


@pytest.fixture
def known(monkeypatch):
    """Put a scenario into the catalogue."""

    def put(one):
        monkeypatch.setitem(CATALOGUE, one.name, one)

    return put


def test_a_run_prints_its_table_and_keeps_it_with_every_round_and_plots(known, tmp_path, capsys):
    known(scenario(DrawnRounds(FIGURES), Goal("work_per_s", FAST, least=2, of=SLOW)))
    assert main(["test", "--results", str(tmp_path)]) == 0
    shown = capsys.readouterr()
    assert "| fast | 200 (100 to 300) | 2 (2 to 2) |" in shown.out
    assert "round 3 of 3: slow" in shown.err
    assert load(path_of("test", quick=False, folder=tmp_path)).figures[FAST]["work_per_s"] == [100, 300, 200]
    assert {path.name for path in tmp_path.iterdir()} == {
        f"test{end}" for end in (".json", ".md", ".svg", ".curves.svg")
    }


def test_a_run_with_a_violation_fails_and_its_speed_is_neither_printed_nor_kept(known, tmp_path, capsys):
    for extra in ([], ["--json"]):
        known(scenario(Rounds(FIGURES, found=1)))
        assert main(["test", "--results", str(tmp_path), *extra]) == 1
        shown = capsys.readouterr()
        everything = shown.out + "".join(path.read_text() for path in tmp_path.iterdir())
        assert "violations" in shown.out
        assert "work_per_s" not in everything
        assert not [figure for figure in ("300", "160") if figure in everything]


def test_quick_is_one_round_unless_told_otherwise_and_json_is_a_line_a_scenario(known, tmp_path, capsys):
    known(scenario(Rounds(FIGURES)))
    known(scenario(Rounds(FIGURES), name="other"))
    assert main(["test", "other", "--quick", "--json", "--results", str(tmp_path)]) == 0
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (first["scenario"], second["scenario"], first["rounds"], first["quick"]) == ("test", "other", 1, True)
    known(scenario(Rounds(FIGURES)))
    assert main(["test", "--quick", "--rounds", "2", "--json", "--results", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)["figures"][SLOW]["work_per_s"] == [50, 100]


@pytest.mark.parametrize(("average", "warned"), [(0.1, False), (3.0, True)])
def test_a_busy_machine_is_told_of(known, tmp_path, capsys, monkeypatch, average, warned):
    monkeypatch.setattr("os.getloadavg", lambda: (average, 0.0, 0.0))
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    known(scenario(Rounds(FIGURES)))
    assert main(["test", "--results", str(tmp_path)]) == 0
    assert ("this machine is busy (load 3.0, 4 cores)" in capsys.readouterr().err) == warned
    assert load(path_of("test", quick=False, folder=tmp_path)).machine["load_1min"] == average


def test_compare_prints_ratios_of_two_kept_runs(known, tmp_path, capsys):
    for folder, factor in (("a", 1), ("b", 3)):
        known(scenario(Rounds({arm: [value * factor for value in values] for arm, values in FIGURES.items()})))
        assert main(["test", "--results", str(tmp_path / folder)]) == 0
    capsys.readouterr()
    paths = [str(tmp_path / folder / "test.json") for folder in ("a", "b")]
    assert main(["compare", *paths]) == 0
    assert "| fast | work_per_s | 200 | 600 | 3.000 |" in capsys.readouterr().out
    assert main(["compare", *paths, "--json"]) == 0
    assert [one["ratio"] for one in json.loads(capsys.readouterr().out)] == [3, 1, 3, 1]
    assert main(["compare", paths[0], str(tmp_path / "none.json")]) == 1
    assert "No such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonsense"], "no scenario is called 'nonsense': hot-sku"),
        (["compare", "a"], "required: b"),
        (["--rounds", "many"], "--rounds"),
        (["--rounds", "-1"], "1 or more"),
        (["flat", "--results", __file__], "--results: "),
        (["flat", "--results", "/proc/nowhere"], "--results: "),
    ],
)
def test_wrong_usage_is_exit_code_2(arguments, said, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_a_system_that_does_not_come_up_is_told_in_one_line(known, tmp_path, capsys):
    class Down(Rounds):
        async def measure(self, arm):
            raise DeploymentError(f"{arm} does not come up")

    known(scenario(Down(FIGURES)))
    assert main(["test", "--results", str(tmp_path)]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == "test: fast does not come up"


def test_a_scenario_with_a_bug_is_told_with_its_traceback_and_those_behind_it_run(known, tmp_path, capsys):
    class Broken(Rounds):
        async def measure(self, arm):
            raise LookupError(f"no such {arm}")

    known(scenario(Broken(FIGURES)))
    known(scenario(Rounds(FIGURES), name="other"))
    assert main(["test", "other", "--results", str(tmp_path)]) == 1
    shown = capsys.readouterr()
    assert "test failed:\nTraceback" in shown.err
    assert "LookupError: no such fast" in shown.err
    assert "### other" in shown.out
    assert {path.stem for path in tmp_path.iterdir()} == {"other"}


def test_every_scenario_has_arms_goals_about_them_and_five_rounds():
    for one in CATALOGUE.values():
        assert len(set(one.arms)) == len(one.arms) >= 2, one.name
        assert one.rounds >= 5, one.name
        assert {arm for goal in one.goals for arm in (goal.arm, goal.of) if arm} <= set(one.arms), one.name
        assert all(goal.least is not None or goal.most is not None for goal in one.goals), one.name
