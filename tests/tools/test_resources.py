"""What the tools work on is opened once, and opened again when it has changed."""

import gc
import weakref
from pathlib import Path

import pytest

from tests.knowledge.samples import curated, said, unindexed
from tools import resources
from tools.dataset.clinical import ClinicalDataset
from tools.knowledge.curation import curate
from tools.records.read import read_cohort
from tools.safety.errors import InputError


def fit(folder: Path, store: Path, *codes: str) -> None:
    rows = [f"p{p},2020-0{month}-01,{code},ICD9CM" for p in range(3) for month in (1, 2) for code in codes]
    records = folder / "records.csv"
    records.write_text("\n".join(["patient,time,code,system", *rows, ""]), encoding="utf-8")
    ClinicalDataset.build(read_cohort(records)).save(store)


def test_what_has_not_changed_is_opened_once(tmp_path):
    fit(tmp_path, tmp_path / "store", "4019")
    unindexed(tmp_path / "library", a=said("Gout."))
    store, library = str(tmp_path / "store"), str(tmp_path / "library")
    assert resources.open_dataset(store) is resources.open_dataset(store)
    assert resources.open_matrix(store, ("4019",)) is resources.open_matrix(store, ("4019",))
    assert resources.open_next_visit_model(store) is resources.open_next_visit_model(store)
    assert resources.open_library(library) is resources.open_library(library)
    assert resources.open_dataset() is resources.open_dataset()
    assert resources.open_library() is resources.open_library()


def test_a_rewritten_store_is_opened_again_with_its_matrices_and_its_model(tmp_path):
    store = tmp_path / "store"
    fit(tmp_path, store, "4019", "25000")
    before = resources.open_dataset(str(store))
    first = resources.open_matrix(str(store), ("4019",))
    learned = resources.open_next_visit_model(str(store))
    fit(tmp_path, store, "4019", "5859", "4280")
    after = resources.open_dataset(str(store))
    assert before.vocabulary.keys == ("25000", "4019")
    assert after.vocabulary.keys == ("4019", "4280", "5859")
    assert resources.open_matrix(str(store), ("4019",)) is not first
    assert learned.vocabulary == before.vocabulary
    assert resources.open_next_visit_model(str(store)).vocabulary == after.vocabulary


def test_no_next_visit_is_learned_from_patients_seen_once(tmp_path):
    records = tmp_path / "records.csv"
    records.write_text("patient,time,code,system\np1,2020-01-01,4019,ICD9CM\n", encoding="utf-8")
    ClinicalDataset.build(read_cohort(records)).save(tmp_path / "store")
    with pytest.raises(InputError, match="no patient has a second visit"):
        resources.open_next_visit_model(str(tmp_path / "store"))


def test_a_store_that_was_absent_is_found_once_it_is_there(tmp_path):
    store = tmp_path / "store"
    with pytest.raises(InputError, match="iikea records fit"):
        resources.open_dataset(str(store))
    fit(tmp_path, store, "4019")
    assert resources.open_dataset(str(store)).vocabulary.keys == ("4019",)


def test_what_stays_is_set_aside_from_collections_and_a_store_goes_all_the_same(tmp_path):
    resources._set_aside_what_stays.cache_clear()
    gc.unfreeze()
    for name in ("first", "second"):
        fit(tmp_path, tmp_path / name, "4019")
        resources.open_dataset(str(tmp_path / name))
    assert len(gc.get_objects()) < gc.get_freeze_count()
    gone = weakref.ref(resources.open_dataset(str(tmp_path / "first")))
    gc.freeze()
    resources._dataset.cache_clear()
    assert gone() is None
    gc.unfreeze()


def test_a_store_is_one_by_whatever_name_and_wherever_one_stands(tmp_path, monkeypatch):
    fit(tmp_path, tmp_path / "first" / "store", "4019")
    fit(tmp_path, tmp_path / "second" / "store", "5859")
    (tmp_path / "link").symlink_to(tmp_path / "first")
    found = []
    for folder in ("first", "second"):
        monkeypatch.chdir(tmp_path / folder)
        found.append(resources.open_dataset("store"))
    assert [data.vocabulary.keys for data in found] == [("4019",), ("5859",)]
    for name in ("../first/store", "../link/store/", str(tmp_path / "link" / "store")):
        assert resources.open_dataset(name) is found[0]
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to(tmp_path / "second")
    assert resources.open_dataset("../link/store") is found[1]


def test_a_library_that_changes_is_opened_again(tmp_path):
    def titles() -> list[str]:
        return resources.open_library(str(tmp_path / "a")).metadata["topics"]

    curated(tmp_path / "a", a=said("Gout."))
    assert titles() == ["Gout"]
    curated(tmp_path / "a", b=said("Stroke.", "Stroke"))
    assert titles() == ["Gout", "Stroke"]
    with curate(tmp_path / "a") as curator:
        curator.retire("a", "tested")
        curator.publish()
    assert titles() == ["Stroke"]


def test_a_library_that_was_never_indexed_is_opened_again_when_its_manifest_changes(tmp_path):
    unindexed(tmp_path, a=said("Gout."))
    first = resources.open_library(str(tmp_path))
    assert resources.open_library(str(tmp_path)) is first
    unindexed(tmp_path, b=said("Stroke.", "Stroke"))
    assert resources.open_library(str(tmp_path)).metadata["topics"] == ["Gout", "Stroke"]


def test_the_library_s_own_description_is_seen_when_it_changes(tmp_path):
    unindexed(tmp_path / "a", a=said("Gout."))
    assert resources.open_library(str(tmp_path / "a")).title == "a"
    (tmp_path / "a" / "library.json").write_text('{"title": "Ours"}', encoding="utf-8")
    assert resources.open_library(str(tmp_path / "a")).title == "Ours"


def test_a_shelf_holds_what_is_named_in_the_order_of_trust(tmp_path):
    folders = [str(unindexed(tmp_path / name, a=said(f"Gout {name}.")).folder) for name in ("ours", "theirs")]
    assert [library.title for library in resources.open_shelf(folders).libraries] == ["ours", "theirs"]
    assert resources.open_shelf().libraries == (resources.open_library(),)


def test_a_library_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError):
        resources.open_library(str(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("name", "opened"),
    [("DEMO_RECORDS", resources.open_dataset), ("DEMO_LIBRARY", resources.open_library)],
)
def test_missing_demo_data_says_so_and_how_to_get_it(name, opened, tmp_path, monkeypatch):
    monkeypatch.setattr(resources, name, tmp_path / "demo-gone")
    with pytest.raises(
        InputError, match="demo data: demo-gone is not beside the code; install with"
    ) as refused:
        opened()
    assert str(tmp_path) not in str(refused.value)
