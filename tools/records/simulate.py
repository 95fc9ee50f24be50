"""A cohort simulated from a known causal graph over real ICD-9-CM diseases.

Patient p carries a frailty z_p ~ Gamma(mean 1, variance v). In period t, disease a arises, if it can, with

    P(a at t) = 1 - exp(-z_p h_a)  *  prod_{c in Pa(a), had before t} (1 - lambda_ca)
                                   *  prod_{c in Pa(a), first had at t} (1 - s lambda_ca)

a leaky noisy-OR (Henrion 1989, "Some practical issues in constructing belief networks"): h_a is the
hazard without any cause, lambda_ca the strength of an edge per visit, s the chance that a cause acts within
the visit it arose in. Frailty scales the leak alone: patients differ for reasons outside the graph.

A chronic disease arises once and from then on is coded at each visit with probability `recording` (at a visit
with nothing else to code, always). An acute one is coded when it arises, may arise again, and keeps acting as
history. The first `latent_periods` periods come before the record and let chronic disease accumulate; people
who come to the first visit without any are left out, so every visit has a code.
"""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from tools.causal.dag import CausalGraph, Edge
from tools.records.cohort import DAY_S, Cohort, Concept, IntArray, Vocabulary
from tools.records.disease_model import BoolArray, DiseaseModel, FloatArray, internal_medicine
from tools.records.formats.meds import writing as meds
from tools.safety.errors import InputError
from tools.safety.files import PUBLIC, write_whole

Written = Literal["csv", "meds"]
MIN_VISITS, MAX_VISITS = 2, 9
CONTINUATION = 0.72
MEAN_GAP_DAYS = 120.0
FIRST_DAY = np.datetime64("2000-01-01", "D").astype(np.int64)
ENROLMENT_DAYS = 3650
MIN_ENTERING = 0.01
BLOCK = 1_024
RANGES = {
    "n_patients": (1, 1_000_000),
    "seed": (0, 2**63),
    "frailty": (0, 100),
    "same_visit": (0, 1),
    "recording": (0, 1),
    "latent_periods": (1, 100),
}


class Simulation(NamedTuple):
    """A cohort and the truth it was drawn from.

    Attributes:
        cohort: what a hospital would have recorded.
        graph: the true causal graph.
        strengths: lambda of each edge, probability per visit.
        displays: the name of each node.
        seed: it was drawn with.
        frailty: variance of the frailty it was drawn with.
    """

    cohort: Cohort
    graph: CausalGraph
    strengths: dict[Edge, float]
    displays: dict[str, str]
    seed: int
    frailty: float


class _Draws(NamedTuple):
    """The randomness of n patients.

    Attributes:
        frailty: shape (n,).
        onset: uniforms, shape (n, n_periods, n_diseases).
        recording: uniforms, shape (n, MAX_VISITS, n_diseases).
        n_visits: shape (n,).
        days: of the visits, since 1970, shape (n, MAX_VISITS).
    """

    frailty: FloatArray
    onset: FloatArray
    recording: FloatArray
    n_visits: IntArray
    days: IntArray


def simulate(
    n_patients: int,
    seed: int,
    *,
    frailty: float = 0.25,
    same_visit: float = 0.5,
    recording: float = 0.75,
    latent_periods: int = 4,
    model: DiseaseModel | None = None,
) -> Simulation:
    """Draw a cohort from a disease model (equations in the module's docstring).

    Patients have 2 to 9 visits, the number geometric, at irregular days. A longer simulation with the same
    seed starts with the same patients.

    Args:
        n_patients: 1 to 1,000,000.
        seed: of the random numbers; the same seed gives the same cohort.
        frailty: v, variance of the frailty; 0 makes all patients alike.
        same_visit: s, chance that a cause acts within the visit it arose in.
        recording: probability that a chronic disease the patient has is coded again at a visit.
        latent_periods: periods before the first visit in which chronic disease accumulates.
        model: `internal_medicine()` by default.

    Returns:
        The cohort, times in seconds at midnight UTC, with the true graph and strengths.

    Raises:
        InputError: an argument is out of its range, the model has a cycle, or hardly anyone in it has a
            chronic disease by the first visit.
    """
    _check_ranges(n_patients=n_patients, seed=seed, frailty=frailty, latent_periods=latent_periods)
    _check_ranges(same_visit=same_visit, recording=recording)
    model = model or internal_medicine()
    parts: list[tuple[IntArray, IntArray, BoolArray]] = []
    for draws in _draws(seed, frailty, latent_periods, len(model.diseases)):
        arising = onsets(model, draws.frailty, draws.onset, latent_periods, same_visit)
        enters = arising[:, :latent_periods].any(axis=(1, 2))
        if enters.mean() < MIN_ENTERING:
            raise InputError(
                "model", "hardly anyone has a chronic disease at entry; raise hazards or latent_periods"
            )
        coded = _code_visits(model, arising, draws, latent_periods, recording)
        parts.append((draws.n_visits[enters], draws.days[enters], coded[enters]))
        if sum(len(part[0]) for part in parts) >= n_patients:
            break
    n_visits, days, coded = (np.concatenate(arrays)[:n_patients] for arrays in zip(*parts, strict=True))
    displays = {d.code: d.display for d in model.diseases}
    cohort = _cohort(model, n_visits, days, coded)
    return Simulation(cohort, model.graph, model.strengths, displays, seed, frailty)


def _check_ranges(**arguments: float) -> None:
    for name, value in arguments.items():
        low, high = RANGES[name]
        if not low <= value <= high:
            raise InputError(name, f"must be {low:,} to {high:,}")


def _draws(seed: int, frailty: float, latent_periods: int, n_diseases: int) -> Iterator[_Draws]:
    """Random numbers for ever more patients, in blocks; one stream a purpose."""
    children = np.random.SeedSequence(seed).spawn(5)
    of_frailty, of_onset, of_recording, of_visits, of_days = (np.random.default_rng(c) for c in children)
    n = BLOCK
    while True:
        when = of_days.random((n, MAX_VISITS))
        start = FIRST_DAY + np.floor(ENROLMENT_DAYS * when[:, :1])
        gaps = 1 + np.floor(-MEAN_GAP_DAYS * np.log1p(-when[:, 1:]))
        yield _Draws(
            frailty=of_frailty.gamma(1 / frailty, frailty, n) if frailty else np.ones(n),
            onset=of_onset.random((n, latent_periods + MAX_VISITS, n_diseases)),
            recording=of_recording.random((n, MAX_VISITS, n_diseases)),
            n_visits=_truncated_geometric(of_visits.random(n)),
            days=np.cumsum(np.hstack([start, gaps]), axis=1).astype(np.int64),
        )


def _truncated_geometric(uniforms: FloatArray) -> IntArray:
    """Number of visits by inversion: P(n) proportional to CONTINUATION ** n on the allowed range."""
    span = MAX_VISITS - MIN_VISITS + 1
    below = 1 - uniforms * (1 - CONTINUATION**span)
    return np.asarray(MIN_VISITS + np.floor(np.log(below) / np.log(CONTINUATION)), dtype=np.int64)


def onsets(
    model: DiseaseModel, frailty: FloatArray, uniforms: FloatArray, latent_periods: int, same_visit: float
) -> BoolArray:
    """Which diseases arise when, given the random numbers (equation in the module's docstring).

    Args:
        model: with n_diseases diseases.
        frailty: z, shape (n_patients,).
        uniforms: a disease arises where its uniform is below P, shape (n_patients, n_periods, n_diseases).
        latent_periods: leading periods in which only chronic disease arises.
        same_visit: s.

    Returns:
        True where a disease arises, shape of `uniforms`.
    """
    n_patients, n_periods, n_diseases = uniforms.shape
    leak = -np.outer(frailty, model.hazards)
    by_history = np.log1p(-model.strength_matrix)
    by_news = np.log1p(-same_visit * model.strength_matrix)
    arising = np.zeros(uniforms.shape, dtype=np.bool_)
    had = np.zeros((n_patients, n_diseases), dtype=np.bool_)
    for t in range(n_periods):
        can_arise = np.where(model.is_chronic, ~had, t >= latent_periods)
        log_none = leak + had @ by_history
        new = np.zeros_like(had)
        for a in model.causal_order:
            parents = np.flatnonzero(by_news[:, a])
            log_stays_away = log_none[:, a] + new[:, parents] @ by_news[parents, a]
            arises = can_arise[:, a] & (uniforms[:, t, a] < -np.expm1(log_stays_away))
            arising[:, t, a] = arises
            new[:, a] = arises & ~had[:, a]
        had |= new
    return arising


def _code_visits(
    model: DiseaseModel, arising: BoolArray, draws: _Draws, latent_periods: int, recording: float
) -> BoolArray:
    """What each visit is coded as, shape (n_patients, MAX_VISITS, n_diseases)."""
    had = np.logical_or.accumulate(arising, axis=1)[:, latent_periods:]
    chronic = had & model.is_chronic
    coded = arising[:, latent_periods:] | (chronic & (draws.recording < recording))
    coded |= chronic & ~coded.any(axis=2, keepdims=True)
    takes_place = np.arange(MAX_VISITS) < draws.n_visits[:, None]
    return coded & takes_place[..., None]


def _cohort(model: DiseaseModel, n_visits: IntArray, days: IntArray, coded: BoolArray) -> Cohort:
    used = np.flatnonzero(coded.any(axis=(0, 1)))
    columns = sorted(used, key=lambda j: model.diseases[j].code)
    takes_place = np.arange(MAX_VISITS) < n_visits[:, None]
    visits = coded[takes_place][:, columns]
    found = (model.diseases[j] for j in columns)
    return Cohort(
        source="simulation",
        vocabulary=Vocabulary(
            Concept(system=model.system, code=d.code, display=d.display, named_by="leaf") for d in found
        ),
        patient_ids=tuple(f"P{row:06d}" for row in range(len(n_visits))),
        visit_offsets=np.concatenate([[0], np.cumsum(n_visits)]),
        times=days[takes_place] * DAY_S,
        clock="seconds",
        code_offsets=np.concatenate([[0], np.cumsum(visits.sum(axis=1))]),
        codes=np.nonzero(visits)[1],
    )


README = """\
# Simulated demo cohort

{n_patients:,} invented patients with {n_visits:,} visits, drawn from a known causal graph over {n_nodes}
real ICD-9-CM diseases with {n_edges} causal edges. No real patient, and no statistic of any, went into it.
Diseases, edges and strengths are simplified general medical knowledge: they serve to try and to measure the
program, not to care for anyone.

{records}
- `true_graph.json`: the graph it was drawn from. `strength` is the probability per visit that the cause
  brings about the effect; `frailty` is the variance of the patients' frailty.

Made from `tools/records/disease_model.json` (equations: `tools/records/simulate.py`) by

    iikea records simulate --patients {n_patients} --seed {seed} --frailty {frailty:g}{option} --out FOLDER

Licence: Apache-2.0, like the program.
"""


RECORDS: dict[Written, str] = {
    "csv": "- `cohort.csv.gz`: one row a diagnosis: patient, time (day of the visit), code (ICD-9-CM, "
    "no dot), system.",
    "meds": "- `data/0.parquet`: MEDS 0.4, one event a diagnosis at the day of its visit; `hadm_id` tells "
    "visits apart.\n  Beside it `metadata/codes.parquet` and `metadata/dataset.json`.",
}


def write(simulation: Simulation, folder: Path, format: Written = "csv") -> tuple[str, ...]:  # noqa: A002
    """Write records, `true_graph.json` and `README.md`; the same simulation gives the same bytes.

    Args:
        simulation: what to write.
        folder: made if missing. As CSV, files of the same names in it are replaced, each in one step; as
            MEDS it must not be there.
        format: `csv`, which is `cohort.csv.gz`, or `meds`, see `tools.records.formats.meds.writing.write`.

    Returns:
        What a person should know of the result.

    Raises:
        InputError: the disk refuses the write; or see there.
    """
    cohort, graph = simulation.cohort, simulation.graph
    numbers = {
        "n_patients": cohort.n_patients,
        "n_visits": cohort.n_visits,
        "n_nodes": len(graph.nodes),
        "n_edges": len(graph.edges),
        "seed": simulation.seed,
        "frailty": simulation.frailty,
        "records": RECORDS[format],
        "option": "" if format == "csv" else f" --format {format}",
    }
    truth, readme = _truth(simulation).encode(), README.format(**numbers).encode()
    beside = {"true_graph.json": truth, "README.md": readme}
    if format == "meds":
        return meds.write(cohort, folder, beside)
    files = {"cohort.csv.gz": gzip.compress(_long_csv(cohort).encode(), mtime=0), **beside}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            write_whole(folder / name, content, PUBLIC)
    except OSError as error:
        reason = error.strerror or "the disk refused the write"
        raise InputError("out", f"not written ({reason}); free space or name another folder") from error
    return ()


def _long_csv(cohort: Cohort) -> str:
    days = np.datetime_as_string(cohort.times.astype("datetime64[s]"), unit="D")
    visit = np.repeat(np.arange(cohort.n_visits), np.diff(cohort.code_offsets))
    patient = np.repeat(np.arange(cohort.n_patients), cohort.visits_per_patient)[visit]
    concepts = cohort.vocabulary.concepts
    rows = (
        f"{cohort.patient_ids[p]},{days[v]},{concepts[c].code},{concepts[c].system}\n"
        for p, v, c in zip(patient, visit, cohort.codes, strict=True)
    )
    return "patient,time,code,system\n" + "".join(rows)


def _truth(simulation: Simulation) -> str:
    truth = {
        "n_patients": simulation.cohort.n_patients,
        "seed": simulation.seed,
        "frailty": simulation.frailty,
        "nodes": [{"code": n, "display": simulation.displays[n]} for n in simulation.graph.nodes],
        "edges": [
            {"cause": cause, "effect": effect, "strength": strength}
            for (cause, effect), strength in sorted(simulation.strengths.items())
        ],
    }
    return json.dumps(truth, indent=1) + "\n"
