import hashlib
import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings

from tests.causal.cohorts import KEYS, dataset, histories
from tools.dataset.arrays import ArrayWriter, describe
from tools.dataset.clinical import ClinicalDataset
from tools.dataset.credentialed import is_credentialed
from tools.dataset.integrity import Integrity
from tools.dataset.store import FORMAT_VERSION
from tools.safety.errors import InputError

PATIENTS = [[{"4019"}, {"4019", "4280"}, {"5856"}], [{"25000"}, {"5856"}]]


@pytest.fixture
def saved(tmp_path):
    folder = tmp_path / "store"
    dataset(PATIENTS).save(folder)
    return folder


@settings(max_examples=25)
@given(patients=histories)
def test_round_trip(patients, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stores") / "store"
    before = dataset(patients)
    before.save(folder)
    after = ClinicalDataset.open(folder, verify=True)
    assert after.hash == before.hash
    assert after.vocabulary.concepts == before.vocabulary.concepts
    for one, other in zip(before.columns, after.columns, strict=True):
        np.testing.assert_array_equal(one, other)


def test_arrays_are_memory_mapped_and_read_only(saved):
    codes = ClinicalDataset.open(saved).columns.codes
    assert isinstance(codes, np.memmap)
    assert not codes.flags.writeable


def test_matrices_over_a_store_share_its_memory(saved):
    data = ClinicalDataset.open(saved)
    held = data.columns
    shared = [
        (data.counts().data, held.union_counts),
        (data.counts().indices, held.union_columns),
        (data.counts(next_only=True).indices, held.next_columns),
        (data.diagnoses.indices, held.diagnosis_patients),
    ]
    for used, stored in shared:
        assert np.shares_memory(used, stored)


def test_saving_again_replaces_the_store_and_leaves_nothing_behind(saved):
    dataset(PATIENTS[:1]).save(saved)
    assert ClinicalDataset.open(saved).n_patients == 1
    assert [path.name for path in saved.parent.iterdir()] == ["store"]


def test_a_folder_with_other_files_is_not_overwritten(tmp_path):
    (tmp_path / "thesis.txt").write_text("ten years of work")
    with pytest.raises(InputError, match="other files"):
        dataset(PATIENTS).save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_failed_write_keeps_the_old_store(saved, monkeypatch):
    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ArrayWriter, "append", full)
    with pytest.raises(InputError, match="No space left"):
        dataset(PATIENTS[:1]).save(saved)
    monkeypatch.undo()
    assert ClinicalDataset.open(saved, verify=True).n_patients == 2
    assert [path.name for path in saved.parent.iterdir()] == ["store"]


def edit_manifest(folder, change):
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def cut(path):
    path.write_bytes(path.read_bytes()[:-4])


def lengthen(path):
    path.write_bytes(path.read_bytes() + bytes(4))


def swap_for_pickle(path):
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)


def keep(folder, name, change, hashed=True):
    """Write a changed array, by default with a manifest that agrees."""
    array = np.load(folder / f"{name}.npy")
    change(array)
    np.save(folder / f"{name}.npy", array)
    if hashed:
        edit_manifest(folder, lambda m: m["arrays"][name].update(describe(array).model_dump()))


def edit_vocabulary(folder, change, hashed=True):
    path = folder / "vocabulary.json"
    columns = json.loads(path.read_text())
    change(columns)
    path.write_text(json.dumps(columns))
    if hashed:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        edit_manifest(folder, lambda m: m["vocabulary"].update(sha256=digest))


DAMAGE = {
    "no manifest": lambda f: (f / "manifest.json").unlink(),
    "not JSON": lambda f: (f / "manifest.json").write_text("{"),
    "JSON too deep": lambda f: (f / "manifest.json").write_text("[" * 100_000),
    "not an object": lambda f: (f / "manifest.json").write_text("[]"),
    "not UTF-8": lambda f: (f / "manifest.json").write_bytes(b"\xff\xfe"),
    "another format": lambda f: edit_manifest(f, lambda m: m.update(format="other")),
    "no version": lambda f: edit_manifest(f, lambda m: m.pop("version")),
    "a newer version": lambda f: edit_manifest(f, lambda m: m.update(version=FORMAT_VERSION + 1)),
    "an older version": lambda f: edit_manifest(f, lambda m: m.update(version=FORMAT_VERSION - 1)),
    "no record of the vocabulary": lambda f: edit_manifest(f, lambda m: m.pop("vocabulary")),
    "no vocabulary": lambda f: (f / "vocabulary.json").unlink(),
    "a vocabulary cut": lambda f: cut(f / "vocabulary.json"),
    "an array missing": lambda f: (f / "codes.npy").unlink(),
    "an array not listed": lambda f: edit_manifest(f, lambda m: m["arrays"].pop("codes")),
    "an array cut": lambda f: cut(f / "codes.npy"),
    "an array too long": lambda f: lengthen(f / "codes.npy"),
    "an empty array file": lambda f: (f / "codes.npy").write_bytes(b""),
    "a pickled array": lambda f: swap_for_pickle(f / "codes.npy"),
    "another shape": lambda f: np.save(f / "codes.npy", np.zeros(1, np.int32)),
    "another type": lambda f: np.save(f / "denominators.npy", np.zeros(6)),
    "another number of codes": lambda f: edit_manifest(f, lambda m: m["vocabulary"].update(codes=5)),
    "an offset beyond the end": lambda f: keep(f, "code_offsets", lambda a: a.put(-1, 99)),
}


@pytest.mark.parametrize("fault", DAMAGE)
def test_a_damaged_store_is_refused_with_what_mends_it(saved, fault):
    DAMAGE[fault](saved)
    with pytest.raises(
        InputError, match=r"fit the records again|iikea records fit|update the program"
    ) as refused:
        ClinicalDataset.open(saved)
    assert refused.value.field == "store"


VOCABULARY_DAMAGE = {
    "too short": lambda v: [column.pop() for column in v.values()],
    "a code twice": lambda v: [column.__setitem__(1, column[0]) for column in v.values()],
    "not in order": lambda v: [column.reverse() for column in v.values()],
    "columns of two lengths": lambda v: v["display"].pop(),
    "a column missing": lambda v: v.pop("display"),
    "a number for a code": lambda v: v["code"].__setitem__(0, 38),
}


@pytest.mark.parametrize("fault", VOCABULARY_DAMAGE)
def test_a_damaged_vocabulary_is_refused_at_the_latest_when_it_is_used(saved, fault):
    edit_vocabulary(saved, VOCABULARY_DAMAGE[fault])
    with pytest.raises(InputError, match="fit the records again"):
        len(ClinicalDataset.open(saved).vocabulary)


def rows(data):
    data.transition_rows(KEYS)


def next_rows(data):
    data.transition_rows(KEYS, next_only=True)


def matrix_of_counts(data):
    data.counts()


def shrunk_matrix(data):
    data.transition(shrink=1.0)


def base_rates(data):
    _ = data.base_rates


def transitions(data):
    _ = data.n_transitions


def diagnosis_matrix(data):
    data.matrix(KEYS)


def all_diagnoses(data):
    _ = data.diagnoses


def visits(data):
    data.visits()


def slots(data):
    _ = data.slots


USES = [
    ("union_offsets", 2, 99, rows),
    ("union_columns", 0, 1_000_000, rows),
    ("union_columns", 0, -1, rows),
    ("union_columns", 0, 1_000_000, matrix_of_counts),
    ("union_counts", 0, -4, rows),
    ("union_counts", 0, 1_000, matrix_of_counts),
    ("next_columns", 0, 1_000_000, next_rows),
    ("next_columns", 0, -1, shrunk_matrix),
    ("denominators", 0, -1, rows),
    ("arrivals", 0, 1_000, base_rates),
    ("visit_offsets", 1, 99, transitions),
    ("visit_offsets", 1, -1, diagnosis_matrix),
    ("code_offsets", 1, 99, slots),
    ("onsets_per_visit", 0, -1, diagnosis_matrix),
    ("onsets_per_visit", 0, 99, diagnosis_matrix),
    ("diagnosis_offsets", 2, 99, diagnosis_matrix),
    ("diagnosis_patients", 0, 2, diagnosis_matrix),
    ("diagnosis_patients", 0, -1, all_diagnoses),
    ("diagnosis_visits", 0, 3, diagnosis_matrix),
    ("diagnosis_visits", 0, -1, diagnosis_matrix),
    ("codes", 0, 1_000_000, visits),
    ("codes", 0, -1, visits),
]


@pytest.mark.parametrize(("name", "place", "value", "work"), USES)
def test_a_value_out_of_bounds_is_refused_when_it_is_first_used_and_by_verify(
    saved, name, place, value, work
):
    keep(saved, name, lambda array: array.put(place, value))
    data = ClinicalDataset.open(saved)
    for _ in range(2):
        with pytest.raises(InputError, match="belong together; fit the records again"):
            work(data)
    with pytest.raises(InputError, match="belong together"):
        ClinicalDataset.open(saved, verify=True)


def test_an_index_outside_the_vocabulary_is_refused_by_verify(saved):
    keep(saved, "codes", lambda array: array.put(0, 1_000_000))
    with pytest.raises(InputError, match="belong together"):
        ClinicalDataset.open(saved, verify=True)


def test_opening_reads_no_values(saved, monkeypatch):
    def refuse(*_args):
        pytest.fail("values were looked at")

    monkeypatch.setattr(Integrity, "require", refuse)
    monkeypatch.setattr(Integrity, "require_diagnoses", refuse)
    monkeypatch.setattr("tools.dataset.store.parse_vocabulary", refuse)
    assert ClinicalDataset.open(saved).n_patients == 2


def test_the_diagnoses_of_a_disease_are_looked_at_once_though_threads_ask(saved, monkeypatch):
    data, looked, look = ClinicalDataset.open(saved), [], Integrity.require_diagnoses

    def counted(self, entries):
        looked.append(entries)
        look(self, entries)

    monkeypatch.setattr(Integrity, "require_diagnoses", counted)
    first = data.matrix(KEYS)
    with ThreadPoolExecutor(4) as pool:
        matrices = list(pool.map(data.matrix, [KEYS, KEYS[::-1], KEYS[:1]] * 4))
    assert len(looked) == len(KEYS)
    for matrix in matrices:
        for node, mine in zip(matrix.nodes, matrix.first_diagnoses, strict=True):
            assert mine is first.first_diagnoses[first.column(node)]
    columns = [data.vocabulary.column(key) for key in KEYS]
    np.testing.assert_array_equal(first.values, data.diagnoses.toarray()[:, columns])


def test_a_store_opened_before_it_was_replaced_keeps_its_own_contents(saved):
    data = ClinicalDataset.open(saved)
    dataset([[{"0389"}]], keys=("0389",)).save(saved)
    assert data.vocabulary.keys == tuple(sorted(KEYS))
    assert data.n_transitions == 3
    assert ClinicalDataset.open(saved).vocabulary.keys == ("0389",)


def test_an_older_store_is_replaced_and_a_newer_one_is_kept(saved):
    edit_manifest(saved, lambda m: m.update(version=FORMAT_VERSION - 1, vocabulary=[]))
    dataset(PATIENTS).save(saved)
    assert ClinicalDataset.open(saved, verify=True).n_patients == 2
    edit_manifest(saved, lambda m: m.update(version=FORMAT_VERSION + 1))
    with pytest.raises(InputError, match="name a new folder"):
        dataset(PATIENTS).save(saved)


@pytest.mark.parametrize("name", ["visit_offsets", "codes"])
def test_another_type_is_refused_even_if_the_manifest_names_it(saved, name):
    array = np.load(saved / f"{name}.npy")
    np.save(saved / f"{name}.npy", array.astype(np.float64))
    edit_manifest(saved, lambda m: m["arrays"][name].update(dtype="<f8"))
    with pytest.raises(InputError, match="belong together"):
        ClinicalDataset.open(saved)


def test_verify_finds_a_change_that_looks_right(saved):
    counts = np.load(saved / "denominators.npy")
    np.save(saved / "denominators.npy", counts + 1)
    ClinicalDataset.open(saved)
    with pytest.raises(InputError, match="changed"):
        ClinicalDataset.open(saved, verify=True)


@pytest.mark.parametrize("credentialed", [False, True])
def test_a_store_says_whether_its_records_are_credentialed_and_its_hash_does_not(saved, credentialed):
    data = ClinicalDataset.open(saved)
    data.credentialed = credentialed
    data.save(saved.parent / "other")
    again = ClinicalDataset.open(saved.parent / "other")
    assert again.credentialed == credentialed
    assert again.hash == data.hash


def test_a_store_that_does_not_say_it_is_refused(saved):
    edit_manifest(saved, lambda m: m.pop("credentialed"))
    with pytest.raises(InputError, match="damaged"):
        ClinicalDataset.open(saved)


@pytest.mark.parametrize(
    ("said", "source", "patients", "expected"),
    [
        (None, "mimic3", 46_520, True),
        (None, "mimic4", 1_001, True),
        (None, "mimic3", 100, False),
        (None, "diabetes130", 70_000, False),
        (True, "csv", 3, True),
        (False, "mimic3", 46_520, False),
    ],
)
def test_the_whole_of_mimic_is_taken_for_credentialed_unless_it_is_said_not_to_be(
    said, source, patients, expected
):
    assert is_credentialed(said, source, patients) == expected
