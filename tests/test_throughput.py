"""The benchmark of throughput runs through on a few made patients, and judges by its goals."""

from itertools import islice

import pytest

from benchmarks import throughput
from tools.resources import open_dataset
from tools.safety.errors import InputError


def made_histories(records, store):
    """Cases of the demo cohort's commonest codes, and its store."""
    dataset = open_dataset("")
    dataset.save(store)
    keys = dataset.vocabulary.keys[:12]
    return ([[first], [second]] for first in keys for second in keys)


def test_it_measures_speed_and_memory_of_the_whole_graph(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("IIKEA_REAL_DATA", str(tmp_path))
    monkeypatch.setattr(throughput, "histories", made_histories)
    monkeypatch.setattr(throughput, "WARM_UP", 1)
    code = throughput.main(["--patients", "2", "--memory-patients", "5"])
    timed, memory, later, last = capsys.readouterr().out.splitlines()
    assert timed.startswith("2 patients in ")
    assert "after 1 patients" in memory and memory.endswith("after 5")
    assert later.startswith("the last 4 of them at ")
    assert last.startswith("E6 PASS" if code == 0 else "E6 FAIL")
    assert "over the last 4 of 5 patients (goal < 50)" in last


@pytest.mark.parametrize(
    ("rate", "growth", "passed"), [(5.0, 49.9, True), (4.9, 0.0, False), (20.0, 50.0, False)]
)
def test_both_goals_are_to_be_met(rate, growth, passed):
    assert throughput.verdict(rate, growth, 1_000, 5_000)[0] is passed


def test_the_last_line_says_the_figures_and_their_goals():
    assert throughput.verdict(7.14, 3.2, 1_000, 5_000) == (
        True,
        "E6 PASS 7.1 patients/s (goal 5, aim 20), memory +3 MB over the last 4,000 of 5,000 patients "
        "(goal < 50)",
    )


def test_patients_without_a_graph_and_too_few_patients_are_no_measurement(monkeypatch, tmp_path):
    monkeypatch.setenv("IIKEA_REAL_DATA", str(tmp_path))
    monkeypatch.setattr(throughput, "WARM_UP", 1)
    monkeypatch.setattr(
        throughput, "histories", lambda *at: ([["ICD9CM:999.9"]] for _ in made_histories(*at))
    )
    with pytest.raises(InputError, match="no fitted graph"):
        throughput.main(["--patients", "2", "--memory-patients", "5"])
    monkeypatch.setattr(throughput, "histories", lambda *at: islice(made_histories(*at), 2))
    with pytest.raises(InputError, match="there are 1 where 2"):
        throughput.main(["--patients", "2", "--memory-patients", "5"])


def test_it_says_how_to_name_the_records(monkeypatch, capsys):
    monkeypatch.delenv("IIKEA_REAL_DATA", raising=False)
    assert throughput.main([]) == 1
    assert "set IIKEA_REAL_DATA to the folder that holds diabetes130/" in capsys.readouterr().out


@pytest.mark.parametrize("few", [["--patients", "0"], ["--memory-patients", "4"]])
def test_too_few_patients_are_refused(few, capsys):
    with pytest.raises(SystemExit):
        throughput.main(few)
    assert "or more" in capsys.readouterr().err
