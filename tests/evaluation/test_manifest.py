"""Outcomes of one run are never taken for another's."""

import numpy as np
import pytest

from tests.causal.cohorts import dataset
from tools.evaluation.manifest import RunManifest, code_hash, cohort_hash, joint_hash, settle
from tools.records.cohort import Cohort
from tools.safety.errors import InputError

MANIFEST = RunManifest(
    data="d",
    format="csv",
    split="80-20",
    vocabulary="full",
    model="statistical",
    settings="s",
    prompts={"decide": "1", "query": "2"},
    libraries=({"title": "t", "version": "1", "retrieval": "lexical"},),
    versions={"numpy": "2"},
    code="c",
    methods=("default",),
    seeds=(0,),
    limit=10,
    stores={0: "x"},
)
OTHER = {
    "data": "e",
    "format": "parquet",
    "credentialed": True,
    "split": "loo",
    "vocabulary": "category",
    "model": "openai:x",
    "roles": {"reader": "openai:y"},
    "settings": "z",
    "prompts": {"decide": "1", "query": "3"},
    "libraries": (),
    "versions": {},
    "code": "b",
}
GROWN = {"methods": ("default", "linear"), "seeds": (0, 1), "limit": None, "stores": {0: "x", 1: "y"}}


def test_every_field_either_binds_or_may_grow():
    assert set(OTHER) | set(GROWN) == set(RunManifest.model_fields)


@pytest.mark.parametrize("field", OTHER)
def test_another_run_is_refused_by_the_name_of_what_differs(field, tmp_path):
    settle(MANIFEST, tmp_path)
    before = (tmp_path / "manifest.json").read_bytes()
    with pytest.raises(InputError, match=field):
        settle(MANIFEST.model_copy(update={field: OTHER[field]}), tmp_path)
    assert (tmp_path / "manifest.json").read_bytes() == before


def test_the_one_prompt_that_was_changed_is_named():
    assert MANIFEST.model_copy(update={"prompts": OTHER["prompts"]}).differences(MANIFEST) == (
        "prompts.query",
    )


@pytest.mark.parametrize("field", GROWN)
def test_methods_seeds_and_patients_may_be_added(field, tmp_path):
    settle(MANIFEST, tmp_path)
    settle(MANIFEST.model_copy(update={field: GROWN[field]}), tmp_path)


def test_a_folder_with_another_manifest_is_refused(tmp_path):
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(InputError, match="name another folder"):
        settle(MANIFEST, tmp_path)


def cohort(ids=("a", "b"), codes=(0, 1, 0), code_offsets=(0, 1, 2, 3)):
    vocabulary = dataset([[{"4019"}, {"4280"}]]).vocabulary
    return Cohort(
        vocabulary=vocabulary,
        patient_ids=ids,
        visit_offsets=np.array([0, 2, 3]),
        code_offsets=np.array(code_offsets),
        codes=np.array(codes),
        times=np.zeros(3, dtype=np.int64),
        clock="order",
        source="csv",
    )


def test_the_hash_of_a_cohort_is_of_its_codes_and_of_nothing_that_names_a_patient():
    first = cohort_hash(cohort())
    assert cohort_hash(cohort(ids=("c", "d"))) == first
    assert cohort_hash(cohort(codes=(0, 1, 1))) != first
    assert cohort_hash(cohort(codes=(0, 1, 0), code_offsets=(0, 2, 2, 3))) != first


def test_a_joint_hash_depends_on_order_and_bounds():
    assert joint_hash(["a"]) == "a"
    assert len({joint_hash(parts) for parts in (["a", "b"], ["b", "a"], ["ab", ""], ["", "ab"])}) == 4


def hashed(folder):
    code_hash.cache_clear()
    return code_hash(folder)


def test_code_is_hashed_by_place_and_content_without_byte_code(tmp_path):
    folder = tmp_path / "package"
    (folder / "__pycache__").mkdir(parents=True)
    (folder / "a.py").write_text("1")
    first = hashed(folder)
    (folder / "__pycache__" / "a.pyc").write_text("2")
    assert hashed(folder) == first
    (folder / "a.py").rename(folder / "b.py")
    assert hashed(folder) != first
    (folder / "b.py").rename(folder / "a.py")
    (folder / "a.py").write_text("2")
    assert hashed(folder) != first
