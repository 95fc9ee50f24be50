"""What was cited once can be looked up for good; and a library says when it does not agree with itself."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from tests.knowledge.samples import BY, DAY, curated, said, unindexed
from tools.knowledge.archive import find_passage, held_documents
from tools.knowledge.curation import curate
from tools.knowledge.library import KnowledgeLibrary
from tools.knowledge.manifest import DOCUMENTS
from tools.knowledge.verification import verify
from tools.safety.errors import InputError


def test_a_passage_is_found_by_id_whatever_became_of_its_document(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    curated(folder, gout=said("Gout hurts."), stroke=said("Stroke.", "Stroke"))
    cited = KnowledgeLibrary(folder).passages
    first = next(key for key in cited if key.startswith("gout"))
    assert find_passage(folder, first, DAY)[0] == cited[first]
    curated(folder, BY._replace(revise=True, expires=DAY), gout=said("Gout does not hurt."))
    passage, held = find_passage(folder, first, DAY)
    assert (passage, held.standing) == (cited[first], "revised")
    second = next(key for key in KnowledgeLibrary(folder, DAY).passages if key.startswith("gout"))
    assert second != first
    assert find_passage(folder, second, DAY)[1].standing == "retrieved"
    assert find_passage(folder, second, DAY + timedelta(days=1))[1].standing == "expired"
    with curate(folder) as curator:
        curator.retire("gout", "wrong")
        curator.publish()
    for key, text in ((first, "Gout hurts."), (second, "Gout does not hurt.")):
        passage, held = find_passage(folder, key, DAY)
        assert (passage.text, held.standing) == (text, "retired")
    assert [held.passages[0].text for held in held_documents(folder, "gout", DAY)] == [
        "Gout does not hurt.",
        "Gout hurts.",
    ]


@pytest.mark.parametrize(
    "key", ["gout#overview.000000", "nothing#x.000000", "", "#", "../gout#overview.000000"]
)
def test_what_was_never_held_is_not_found(tmp_path: Path, key: str) -> None:
    unindexed(tmp_path, gout=said("Gout hurts."))
    assert find_passage(tmp_path, key, DAY) is None


def test_a_sound_library_verifies(tmp_path: Path) -> None:
    curated(tmp_path / "a", gout=said("Gout hurts."), stroke=said("Stroke.", "Stroke"))
    found = verify(tmp_path / "a", DAY)
    assert (found.n_documents, found.n_passages, found.problems) == (2, 2, ())


def test_every_difference_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    curated(folder, gout=said("Gout hurts."), stroke=said("Stroke.", "Stroke"))
    (folder / "sources" / "gout.md").write_text("other words")
    (folder / "sources" / "stray.md").write_text("stray")
    assert {problem.place for problem in verify(folder, DAY).problems} == {
        "document 'gout'",
        "sources/stray.md",
    }


def test_documents_that_are_not_indexed_yet_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    curated(folder, gout=said("Gout hurts."))
    lines = (folder / DOCUMENTS).read_text()
    changed = json.loads(lines) | {"title": "Podagra"}
    (folder / DOCUMENTS).write_text(lines + json.dumps(changed) + "\n")
    (problem,) = verify(folder, DAY).problems
    assert "1 of its documents added or changed" in problem.rule
    assert KnowledgeLibrary(folder).notices()


def test_passages_lost_from_an_index_are_noticed(tmp_path: Path) -> None:
    from tools.knowledge.chroma import open_client

    folder = tmp_path / "a"
    curated(folder, gout=said("Gout hurts."), stroke=said("Stroke.", "Stroke"))
    client = open_client(str(folder / "index" / "1" / "chroma"))
    collection = client.get_collection("passages", embedding_function=None)
    collection.delete(ids=collection.get(where={"doc_id": "gout"}, include=[])["ids"])
    client.close()
    with pytest.raises(InputError, match=r"lacks passages of 1 of its documents.*rebuild"):
        KnowledgeLibrary(folder)
    with curate(folder) as curator:
        curator.rebuild()
    assert len(KnowledgeLibrary(folder).passages) == 2
