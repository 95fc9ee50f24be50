"""The benchmark of the readers at a small size: its layouts hold the same visits, and it judges each goal."""

from importlib import import_module

import pytest

from benchmarks import readers
from benchmarks.record_layouts import LAYOUTS, drawn, write
from tools.records.cohort import Cohort
from tools.records.read import read_cohort, sniff

N_VISITS = 300
ENOUGH = {"visits": N_VISITS, "seconds": 1.0, "bytes": readers.MOST_BYTES}
PEERS = {"pandas": readers.read_by_pandas, "polars": readers.read_by_polars}


@pytest.fixture(scope="module")
def layouts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("layouts")
    assert write(str(folder), N_VISITS) == len(drawn(N_VISITS).visit)
    return folder


def clinical(cohort: Cohort):
    concepts = [(concept.system, concept.code) for concept in cohort.vocabulary.concepts]
    return (
        concepts,
        cohort.patient_ids,
        cohort.visit_offsets.tolist(),
        cohort.code_offsets.tolist(),
        cohort.codes.tolist(),
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_holds_the_visits_that_were_drawn(layout, layouts):
    assert sniff(layouts / layout) == layout.partition("-")[0]
    cohort = read_cohort(layouts / layout)
    rows = drawn(N_VISITS)
    assert cohort.n_visits == N_VISITS
    assert len(cohort.codes) == len(set(zip(rows.visit.tolist(), rows.concept.tolist(), strict=True)))
    assert clinical(cohort) == clinical(read_cohort(layouts / "mimic4"))


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("layout", [layout for layout in LAYOUTS if layout != "omop-duckdb"])
def test_a_peer_reads_as_many_visits_and_entries(layout, peer, layouts):
    if peer == "polars":
        pytest.importorskip("polars")
    found, ours = PEERS[peer](str(layouts / layout), layout), readers.read_ours(str(layouts / layout))
    assert [found[what] for what in ("visits", "entries")] == [ours["visits"], ours["entries"]]


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ({}, "PASS"),
        ({"seconds": 1.01}, "FAIL"),
        ({"bytes": readers.MOST_BYTES + 1}, "FAIL"),
        ({"visits": N_VISITS - 1}, "FAIL"),
    ],
)
def test_speed_memory_and_all_visits_are_judged(found, verdict):
    passed, line = readers.judged("meds", ENOUGH | found, readers.LEAST_ROWS_A_SECOND, N_VISITS)
    assert line.startswith(f"J2 {verdict} meds: ")
    assert passed == (verdict == "PASS")


def here(work, *arguments):
    """The work in this process: to start one for each reader takes minutes."""
    module, _, function = work.partition(":")
    return getattr(import_module(module), function)(*arguments)


def test_every_layout_is_read_and_judged(capsys, monkeypatch):
    monkeypatch.setattr(readers, "alone", here)
    monkeypatch.setattr(readers, "_PEERS", ("pandas",))
    monkeypatch.setattr(readers, "LEAST_ROWS_A_SECOND", 1)
    monkeypatch.setattr(readers, "MOST_BYTES", 1e12)
    assert readers.main(["--visits", "50"]) == 0
    said = capsys.readouterr().out.splitlines()
    passed = [line.split()[2] for line in said if line.startswith("J2 PASS")]
    assert passed == [f"{layout}:" for layout in LAYOUTS]
    assert sum(line.split()[1] == "pandas" for line in said) == len(LAYOUTS) - 1
    monkeypatch.setattr(readers, "MOST_BYTES", 1)
    assert readers.main(["--visits", "50"]) == 1
