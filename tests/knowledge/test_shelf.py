"""Several libraries searched as one."""

import pytest

from tests.knowledge.samples import markdown, said, unindexed
from tools.knowledge.manifest import Manifest
from tools.knowledge.shelf import Shelf
from tools.safety.errors import InputError


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    folder = tmp_path_factory.mktemp("libraries")
    hospital = unindexed(
        folder / "hospital",
        Manifest(title="Our hospital"),
        gout=said("Gout is treated early here."),
        shared=said("Gout and heart failure."),
    )
    society = unindexed(
        folder / "society",
        Manifest(title="The society"),
        gout=markdown(("Overview", "Gout hurts."), aliases='["podagra"]'),
        shared=said("Gout and heart failure."),
        stroke=said("Stroke comes suddenly, gout too.", "Stroke"),
    )
    return Shelf([hospital, society])


def test_rankings_are_interleaved_in_the_order_of_trust(shelf: Shelf) -> None:
    each = [[hit.passage.id for hit in library.search("gout", 9)] for library in shelf.libraries]
    expected: list[str] = []
    for rank in range(3):
        expected += [
            ranking[rank] for ranking in each if rank < len(ranking) and ranking[rank] not in expected
        ]
    found = shelf.search("gout", 9)
    assert [hit.passage.id for hit in found] == expected
    assert [hit.passage.id for hit in shelf.search("gout", 2)] == expected[:2]
    assert {hit.library for hit in found} == {"Our hospital", "The society"}


def test_what_two_libraries_hold_counts_for_the_more_trusted(shelf: Shelf) -> None:
    shared = next(hit for hit in shelf.search("heart failure", 9) if hit.passage.doc_id == "shared")
    assert (shared.library, shared.trust) == ("Our hospital", 1)


def test_passages_of_one_document_id_in_two_libraries_are_told_apart(shelf: Shelf) -> None:
    found = {hit.passage.text: hit for hit in shelf.search("gout", 9)}
    assert found["Gout hurts."].trust == 2
    assert found["Gout hurts."].entry.aliases == ("podagra",)
    assert found["Gout is treated early here."].entry.aliases == ("gouty arthritis",)


def test_names_and_aliases_are_those_of_all(shelf: Shelf) -> None:
    assert shelf.aliases("2749", "ICD9CM") == ("Gout", "gouty arthritis", "podagra", "Stroke")
    assert shelf.aliases("2749", "SNOMED") == ()
    assert shelf.names == ("gout", "gouty arthritis", "podagra", "stroke")


def test_versions_and_metadata_of_each_are_said(shelf: Shelf) -> None:
    described = shelf.described
    assert [one["version"] for one in described] == [library.version for library in shelf.libraries]
    assert [one["trust"] for one in described] == [1, 2]
    assert shelf.metadata["n_passages"] == 5
    assert shelf.metadata["topics"] == ["Gout", "Stroke"]


def test_a_shelf_of_nothing_or_of_the_same_twice_is_refused(shelf: Shelf) -> None:
    for libraries in ([], [shelf.libraries[0], shelf.libraries[0]]):
        with pytest.raises(InputError, match="libraries"):
            Shelf(libraries)
