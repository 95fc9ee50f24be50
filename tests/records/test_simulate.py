"""Laws of the simulated cohort, its truth, and the demo files made from it."""

import csv
import gzip
import hashlib
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.causal.dag import CausalGraph
from tools.records import simulate as simulation_module
from tools.records.cohort import Cohort
from tools.records.concepts.names import name
from tools.records.disease_model import Disease, DiseaseModel, Influence, internal_medicine
from tools.records.formats.long_csv import read
from tools.records.simulate import onsets, simulate, write
from tools.safety import files
from tools.safety.errors import InputError

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "data" / "demo"
PERIODS = 6


def small_model(
    hazards: list[float], courses: list[str], edges: dict[tuple[int, int], float]
) -> DiseaseModel:
    diseases = tuple(
        Disease(code=f"D{j}", display=f"disease {j}", course=course, hazard=hazard)
        for j, (hazard, course) in enumerate(zip(hazards, courses, strict=True))
    )
    influences = tuple(
        Influence(cause=f"D{cause}", effect=f"D{effect}", strength=strength)
        for (cause, effect), strength in edges.items()
    )
    return DiseaseModel(system="ICD9CM", diseases=diseases, influences=influences)


@st.composite
def models(draw: st.DrawFn) -> DiseaseModel:
    size = draw(st.integers(1, 5))
    order = draw(st.permutations(range(size)))
    pairs = [(order[i], order[j]) for i in range(size) for j in range(i + 1, size)]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    return small_model(
        draw(st.lists(st.floats(0, 1), min_size=size, max_size=size)),
        draw(st.lists(st.sampled_from(["chronic", "acute"]), min_size=size, max_size=size)),
        {pair: draw(st.floats(0.01, 0.99)) for pair in chosen},
    )


def slow_onsets(
    model: DiseaseModel, frailty: float, uniforms: np.ndarray, latent_periods: int, same_visit: float
) -> np.ndarray:
    """One patient, one disease, one cause at a time, written from the equation."""
    codes = [d.code for d in model.diseases]
    result = np.zeros(uniforms.shape, dtype=bool)
    first: dict[str, int] = {}
    for t in range(len(uniforms)):
        for code in model.graph.order:
            disease = model.diseases[codes.index(code)]
            if disease.course == "chronic" and code in first:
                continue
            if disease.course == "acute" and t < latent_periods:
                continue
            stays_away = np.exp(-frailty * disease.hazard)
            for cause in model.graph.parents(code):
                strength = model.strengths[cause, code]
                if cause in first:
                    stays_away *= 1 - (strength if first[cause] < t else same_visit * strength)
            if uniforms[t, codes.index(code)] < 1 - stays_away:
                result[t, codes.index(code)] = True
                first.setdefault(code, t)
    return result


def uniforms_for(model: DiseaseModel, seed: int, n_patients: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).random((n_patients, PERIODS, len(model.diseases)))


seeds = st.integers(0, 2**32)


@given(models(), seeds, st.integers(0, 3), st.floats(0, 1))
def test_onsets_equal_the_slow_loop(
    model: DiseaseModel, seed: int, latent_periods: int, same_visit: float
) -> None:
    uniforms, frailty = uniforms_for(model, seed), np.array([0.2, 1.0, 1.7, 5.0])
    expected = [
        slow_onsets(model, z, u, latent_periods, same_visit) for z, u in zip(frailty, uniforms, strict=True)
    ]
    np.testing.assert_array_equal(onsets(model, frailty, uniforms, latent_periods, same_visit), expected)


@given(models(), seeds, st.integers(1, PERIODS - 1))
def test_the_future_does_not_reach_back(model: DiseaseModel, seed: int, now: int) -> None:
    uniforms = uniforms_for(model, seed)
    changed = uniforms.copy()
    changed[:, now:] = 1 - changed[:, now:]
    before, after = (onsets(model, np.ones(4), u, 1, 0.5)[:, :now] for u in (uniforms, changed))
    np.testing.assert_array_equal(before, after)


@given(models(), seeds, st.floats(0, 3))
def test_the_frailer_have_every_disease_no_later(model: DiseaseModel, seed: int, more: float) -> None:
    uniforms = uniforms_for(model, seed)
    had = [
        np.logical_or.accumulate(onsets(model, z, uniforms, 1, 0.5), axis=1)
        for z in (np.ones(4), np.full(4, 1 + more))
    ]
    assert not (had[0] & ~had[1]).any()


@pytest.fixture(scope="module")
def fully_coded() -> Cohort:
    return simulate(8_000, 11, frailty=0, recording=1).cohort


def transitions(cohort: Cohort) -> Iterator[tuple[set[str], set[str]]]:
    """(codes up to a visit, codes of the next) over all visits with a successor."""
    for patient in cohort:
        history: set[str] = set()
        for visit, following in zip(patient.visits, patient.visits[1:], strict=False):
            history |= set(visit.codes)
            yield set(history), set(following.codes)


def test_recorded_onsets_follow_the_noisy_or(fully_coded: Cohort) -> None:
    """P(effect at t+1 | exactly these causes up to t, none new at t+1) within 4.5 standard errors."""
    model = internal_medicine()
    counts: dict[tuple[str, tuple[str, ...]], list[int]] = defaultdict(lambda: [0, 0])
    parents = {node: frozenset(model.graph.parents(node)) for node in model.graph.nodes}
    for history, following in transitions(fully_coded):
        new = following - history
        for disease in model.diseases:
            causes = parents[disease.code]
            at_risk = disease.course == "acute" or disease.code not in history
            if at_risk and not causes & new:
                cell = counts[disease.code, tuple(sorted(causes & history))]
                cell[0] += disease.code in following
                cell[1] += 1
    hazards = {d.code: d.hazard for d in model.diseases}
    checked = set()
    for (effect, causes), (events, n) in counts.items():
        stays_away = np.exp(-hazards[effect]) * np.prod([1 - model.strengths[c, effect] for c in causes])
        p = 1 - stays_away
        if n * p * (1 - p) > 10:
            assert abs(events - n * p) < 4.5 * np.sqrt(n * p * (1 - p)), (effect, causes)
            checked |= {(c, effect) for c in causes}
    assert len(checked) > 0.9 * len(model.influences)


def test_a_chronic_disease_is_coded_from_then_on_when_coding_is_complete(fully_coded: Cohort) -> None:
    chronic = {d.code for d in internal_medicine().diseases if d.course == "chronic"}
    assert all(history & chronic <= following for history, following in transitions(fully_coded))


def test_share_of_chronic_diseases_coded_again_is_the_recording() -> None:
    chronic = {d.code for d in internal_medicine().diseases if d.course == "chronic"}
    coded = known = 0
    for history, following in transitions(simulate(1_000, 3, recording=0.6).cohort):
        if len(history & chronic) >= 6:
            coded += len(history & chronic & following)
            known += len(history & chronic)
    assert coded / known == pytest.approx(0.6, abs=0.02)


@pytest.mark.parametrize("variance", [0, 0.25, 1])
def test_frailty_alone_makes_counts_overdispersed(variance: float) -> None:
    """Variance / mean of a count of independent diseases; E exp(-h z) = (1 + v h)^(-1/v) for a gamma z."""
    n, hazard = 10, 0.05
    model = small_model([1e4, *[hazard] * n], ["chronic", *["acute"] * n], {})
    cohort = simulate(8_000, 5, frailty=variance, recording=1, model=model).cohort
    counts = np.diff(cohort.code_offsets)[cohort.visit_offsets[:-1]] - 1

    def stays_away(h: float) -> float:
        return float((1 + variance * h) ** (-1 / variance) if variance else np.exp(-h))

    one, two = stays_away(hazard), stays_away(2 * hazard)
    mean, both = 1 - one, 1 - 2 * one + two
    expected = 1 + (n - 1) * both / mean - n * mean
    assert counts.mean() == pytest.approx(n * mean, rel=0.05)
    assert counts.var() / counts.mean() == pytest.approx(expected, abs=0.07)


def test_patients_look_like_a_ward() -> None:
    cohort = simulate(2_000, 1).cohort
    visit = np.repeat(np.arange(cohort.n_visits), np.diff(cohort.code_offsets))
    patient = np.repeat(np.arange(cohort.n_patients), cohort.visits_per_patient)[visit]
    pairs = np.unique(np.column_stack([cohort.codes, patient]), axis=0)[:, 0]
    prevalence = dict(zip(cohort.vocabulary.keys, np.bincount(pairs) / cohort.n_patients, strict=True))
    assert set(prevalence) == set(internal_medicine().graph.nodes)
    assert 0.42 <= prevalence.pop("4019") <= 0.52
    assert all(0.025 <= share <= 0.40 for share in prevalence.values())
    assert np.median(list(prevalence.values())) < 0.15
    assert cohort.visits_per_patient.min() == 2
    assert cohort.visits_per_patient.max() == 9
    assert np.diff(cohort.code_offsets).min() >= 1


def test_visits_are_in_order_on_days_of_the_past() -> None:
    cohort = simulate(5_000, 8).cohort
    assert not (cohort.times % 86_400).any()
    within = np.ones(cohort.n_visits - 1, dtype=bool)
    within[cohort.visit_offsets[1:-1] - 1] = False
    assert (np.diff(cohort.times)[within] > 0).all()
    days = cohort.times.astype("datetime64[s]")
    assert np.datetime64("2000-01-01") <= days.min()
    assert days.max() < np.datetime64("2026-01-01")


def same(one: Cohort, other: Cohort) -> bool:
    columns = ("visit_offsets", "times", "code_offsets", "codes")
    return (
        (one.patient_ids, one.clock, one.vocabulary.concepts)
        == (other.patient_ids, other.clock, other.vocabulary.concepts)
    ) and all(np.array_equal(getattr(one, c), getattr(other, c)) for c in columns)


def test_the_seed_is_everything() -> None:
    assert same(simulate(50, 4).cohort, simulate(50, 4).cohort)
    assert not same(simulate(50, 4).cohort, simulate(50, 5).cohort)


def test_a_longer_simulation_starts_with_the_same_patients() -> None:
    block = simulation_module.BLOCK
    short, long = simulate(60, 9).cohort, simulate(block + 500, 9).cohort
    assert list(short) == list(long.subset(range(60)))
    longest = simulate(2 * block, 9).cohort
    assert same(long, longest.subset(range(block + 500)))


def test_truth_is_acyclic_and_plausible() -> None:
    model = internal_medicine()
    position = {node: i for i, node in enumerate(model.graph.order)}
    assert all(position[cause] < position[effect] for cause, effect in model.graph.edges)
    assert max(len(model.graph.parents(node)) for node in model.graph.nodes) <= 4
    assert all(0.05 <= strength <= 0.45 for strength in model.strengths.values())
    assert len(model.influences) == len(model.graph.edges)


def test_displays_are_the_published_titles() -> None:
    for disease in internal_medicine().diseases:
        assert name("ICD9CM", disease.code) == (disease.display, "leaf")


@pytest.mark.parametrize(
    ("field", "arguments"),
    [
        ("n_patients", {"n_patients": 0}),
        ("n_patients", {"n_patients": 2_000_000}),
        ("seed", {"seed": -1}),
        ("frailty", {"frailty": -0.1}),
        ("frailty", {"frailty": float("nan")}),
        ("same_visit", {"same_visit": 1.5}),
        ("recording", {"recording": -1}),
        ("latent_periods", {"latent_periods": 0}),
        ("model", {"model": small_model([0.0, 0.5], ["chronic", "acute"], {(1, 0): 0.5})}),
    ],
)
def test_arguments_out_of_range_are_refused(field: str, arguments: dict[str, object]) -> None:
    with pytest.raises(InputError) as refusal:
        simulate(**{"n_patients": 10, "seed": 1, **arguments})  # type: ignore[arg-type]
    assert refusal.value.field == field


def test_a_cyclic_model_is_refused() -> None:
    model = small_model([0.1, 0.1], ["chronic"] * 2, {(0, 1): 0.5, (1, 0): 0.5})
    with pytest.raises(InputError, match="cycle"):
        simulate(10, 1, model=model)


def test_files_hold_the_cohort_and_its_truth(tmp_path: Path) -> None:
    simulation = simulate(40, 2, frailty=0.5)
    write(simulation, tmp_path)
    rows = csv.reader(gzip.decompress((tmp_path / "cohort.csv.gz").read_bytes()).decode().splitlines())
    assert next(rows) == ["patient", "time", "code", "system"]
    expected = [
        [patient.id, str(np.datetime64(visit.time, "s").astype("datetime64[D]")), code, "ICD9CM"]
        for patient in simulation.cohort
        for visit in patient.visits
        for code in visit.codes
    ]
    assert list(rows) == expected
    truth = json.loads((tmp_path / "true_graph.json").read_text())
    graph = CausalGraph(
        (node["code"] for node in truth["nodes"]), ((e["cause"], e["effect"]) for e in truth["edges"])
    )
    assert graph == simulation.graph
    assert {(e["cause"], e["effect"]): e["strength"] for e in truth["edges"]} == simulation.strengths
    assert (truth["seed"], truth["frailty"], truth["n_patients"]) == (2, 0.5, 40)
    assert "--patients 40 --seed 2 --frailty 0.5" in (tmp_path / "README.md").read_text()


def test_files_are_read_back_as_the_cohort(tmp_path: Path) -> None:
    simulation = simulate(300, 2)
    write(simulation, tmp_path)
    assert same(read(tmp_path / "cohort.csv.gz"), simulation.cohort)


def test_command_gives_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    digests = set()
    for hash_seed, zone in (("1", "UTC"), ("77", "Asia/Tokyo")):
        out = tmp_path / hash_seed
        command = [
            sys.executable,
            "-m",
            "app.main",
            "records",
            "simulate",
            "--patients",
            "30",
            "--out",
            str(out),
        ]
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "TZ": zone, "LC_ALL": "C"}
        subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=60)
        assert sorted(p.name for p in out.iterdir()) == ["README.md", "cohort.csv.gz", "true_graph.json"]
        digests.add(tuple(hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(out.iterdir())))
    assert len(digests) == 1


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    occupied = tmp_path / "occupied"
    occupied.write_text("mine")
    with pytest.raises(InputError, match="out"):
        write(simulate(3, 1), occupied)
    with pytest.raises(InputError, match="n_patients"):
        simulate(0, 1)
    assert occupied.read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir()] == ["occupied"]


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(simulate(5, 1), tmp_path)
    old = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(InputError, match="No space left"):
        write(simulate(5, 2), tmp_path)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == old


def test_demo_files_are_what_the_command_makes(tmp_path: Path) -> None:
    write(simulate(2000, 7), tmp_path)
    for file in ("true_graph.json", "README.md"):
        assert (tmp_path / file).read_bytes() == (DEMO / file).read_bytes()
    made, kept = (gzip.decompress((folder / "cohort.csv.gz").read_bytes()) for folder in (tmp_path, DEMO))
    assert made == kept
    assert (DEMO / "cohort.csv.gz").stat().st_size < 600_000
