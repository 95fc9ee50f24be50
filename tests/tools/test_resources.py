"""What the tools work on is opened once, and opened again when it has changed."""

import os
from pathlib import Path

import pytest

from tools import resources
from tools.dataset.clinical import ClinicalDataset
from tools.records.read import read_cohort
from tools.safety.errors import InputError

DOCUMENT = """---
title: {title}
codes: ["4019"]
aliases: ["{alias}"]
licence: CC0-1.0
source: tests
---

## Overview

{text}
"""


def fit(folder: Path, store: Path, *codes: str) -> None:
    rows = [f"p{p},2020-0{month}-01,{code},ICD9CM" for p in range(3) for month in (1, 2) for code in codes]
    records = folder / "records.csv"
    records.write_text("\n".join(["patient,time,code,system", *rows, ""]), encoding="utf-8")
    ClinicalDataset.build(read_cohort(records)).save(store)


def write(path: Path, title: str = "Hypertension", text: str = "High blood pressure.") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    document = DOCUMENT.format(title=title, alias=title.lower(), text=text)
    path.write_text(document, encoding="utf-8")
    return path


def topics(folder: Path) -> list[str]:
    return resources.open_library(str(folder)).metadata["topics"]


def test_what_has_not_changed_is_opened_once(tmp_path):
    fit(tmp_path, tmp_path / "store", "4019")
    write(tmp_path / "library" / "a.md")
    store, library = str(tmp_path / "store"), str(tmp_path / "library")
    assert resources.open_dataset(store) is resources.open_dataset(store)
    assert resources.open_matrix(store, ("4019",)) is resources.open_matrix(store, ("4019",))
    assert resources.open_library(library) is resources.open_library(library)
    assert resources.open_dataset() is resources.open_dataset()
    assert resources.open_library() is resources.open_library()


def test_a_rewritten_store_is_opened_again_with_its_matrices(tmp_path):
    store = tmp_path / "store"
    fit(tmp_path, store, "4019", "25000")
    before = resources.open_dataset(str(store))
    first = resources.open_matrix(str(store), ("4019",))
    fit(tmp_path, store, "4019", "5859", "4280")
    after = resources.open_dataset(str(store))
    assert before.vocabulary.keys == ("25000", "4019")
    assert after.vocabulary.keys == ("4019", "4280", "5859")
    assert resources.open_matrix(str(store), ("4019",)) is not first


def test_a_store_that_was_absent_is_found_once_it_is_there(tmp_path):
    store = tmp_path / "store"
    with pytest.raises(InputError, match="iikea records fit"):
        resources.open_dataset(str(store))
    fit(tmp_path, store, "4019")
    assert resources.open_dataset(str(store)).vocabulary.keys == ("4019",)


@pytest.mark.parametrize("place", ["b.md", "below/deep/b.md"])
def test_a_document_added_changed_and_removed_is_seen(tmp_path, place):
    write(tmp_path / "a.md")
    assert topics(tmp_path) == ["Hypertension"]
    added = write(tmp_path / place, "Gout")
    assert topics(tmp_path) == ["Hypertension", "Gout"]
    write(added, "Obesity")
    assert topics(tmp_path) == ["Hypertension", "Obesity"]
    added.unlink()
    assert topics(tmp_path) == ["Hypertension"]


def test_a_document_rewritten_at_its_old_length_is_seen_by_its_time(tmp_path):
    path = write(tmp_path / "a.md", text="Gout is mild.")
    os.utime(path, ns=(1, 1))
    assert resources.open_library(str(tmp_path)).search("gout", 1)[0].passage.text == "Gout is mild."
    write(path, text="Gout is wild.")
    assert resources.open_library(str(tmp_path)).search("gout", 1)[0].passage.text == "Gout is wild."


def test_the_library_s_own_description_is_seen_when_it_changes(tmp_path):
    write(tmp_path / "a.md")
    assert resources.open_library(str(tmp_path)).title == tmp_path.name
    (tmp_path / "library.json").write_text('{"title": "Ours"}', encoding="utf-8")
    assert resources.open_library(str(tmp_path)).title == "Ours"


def test_a_link_that_leads_nowhere_is_refused_as_a_document_and_does_not_crash(tmp_path):
    write(tmp_path / "a.md")
    (tmp_path / "gone.md").symlink_to(tmp_path / "nowhere.md")
    with pytest.raises(InputError):
        resources.open_library(str(tmp_path))


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
