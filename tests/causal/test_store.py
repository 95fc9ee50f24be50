import json

import numpy as np
import pytest
from hypothesis import given, settings

from tests.causal.cohorts import dataset, histories
from tools.causal.dataset import ClinicalDataset
from tools.causal.store import FORMAT_VERSION
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
        (data.visits.indices, held.codes),
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
    def full(*_args, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
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


def swap_for_pickle(path):
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)


DAMAGE = {
    "no manifest": lambda f: (f / "manifest.json").unlink(),
    "not JSON": lambda f: (f / "manifest.json").write_text("{"),
    "not UTF-8": lambda f: (f / "manifest.json").write_bytes(b"\xff\xfe"),
    "another format": lambda f: edit_manifest(f, lambda m: m.update(format="other")),
    "a newer version": lambda f: edit_manifest(f, lambda m: m.update(version=FORMAT_VERSION + 1)),
    "an array missing": lambda f: (f / "codes.npy").unlink(),
    "an array not listed": lambda f: edit_manifest(f, lambda m: m["arrays"].pop("codes")),
    "an array cut": lambda f: cut(f / "codes.npy"),
    "an empty array file": lambda f: (f / "codes.npy").write_bytes(b""),
    "a pickled array": lambda f: swap_for_pickle(f / "codes.npy"),
    "another shape": lambda f: np.save(f / "codes.npy", np.zeros(1, np.int32)),
    "another type": lambda f: np.save(f / "denominators.npy", np.zeros(6)),
    "a vocabulary too short": lambda f: edit_manifest(f, lambda m: m["vocabulary"].pop()),
    "a vocabulary twice": lambda f: edit_manifest(f, lambda m: m["vocabulary"].append(m["vocabulary"][0])),
}


@pytest.mark.parametrize("fault", DAMAGE)
def test_a_damaged_store_is_refused(saved, fault):
    DAMAGE[fault](saved)
    with pytest.raises(InputError):
        ClinicalDataset.open(saved)


def test_an_index_outside_the_vocabulary_is_refused(saved):
    codes = np.load(saved / "codes.npy")
    codes[0] = 1_000_000
    np.save(saved / "codes.npy", codes)
    with pytest.raises(InputError, match="belong together"):
        ClinicalDataset.open(saved)


@pytest.mark.parametrize("visit", [-1, 3])
def test_a_first_visit_that_the_patient_does_not_have_is_refused(saved, visit):
    first = np.load(saved / "diagnosis_visits.npy")
    first[0] = visit
    np.save(saved / "diagnosis_visits.npy", first)
    with pytest.raises(InputError, match="belong together"):
        ClinicalDataset.open(saved)


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
