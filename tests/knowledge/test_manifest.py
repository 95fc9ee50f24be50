"""What a library's folder says of it."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.knowledge.samples import said, unindexed
from tools.knowledge.library import KnowledgeLibrary
from tools.knowledge.manifest import DOCUMENTS, LIBRARY, append_entry, latest, mend_tail, read_states
from tools.knowledge.passage import Entry
from tools.safety.errors import InputError


def _entry(doc_id: str = "gout", **more: object) -> Entry:
    known = {
        "title": "Gout",
        "file": f"{doc_id}.md",
        "media": "text",
        "sha256": "0" * 64,
        "licence": "CC0-1.0",
    }
    added = {"source": "us", "added_by": "me", "added_at": datetime(2026, 11, 25, tzinfo=UTC)}
    return Entry(id=doc_id, **known | added | more)


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"title": 5}', '{"title": "A", "key": 1}', "{}", '{"title": ""}']
)
def test_a_poor_manifest_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / LIBRARY).write_text(content)
    with pytest.raises(InputError, match=r"library\.json"):
        KnowledgeLibrary(tmp_path)


@pytest.mark.parametrize("server", ["ftp://a", "http://user:secret@host", "host:8000"])
def test_an_odd_server_is_refused_without_being_repeated(tmp_path: Path, server: str) -> None:
    (tmp_path / LIBRARY).write_text(f'{{"title": "A", "server": "{server}"}}')
    with pytest.raises(InputError, match="server") as error:
        KnowledgeLibrary(tmp_path)
    assert "secret" not in str(error.value)


def test_a_folder_without_a_library_is_refused_with_the_next_step(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(InputError, match="iikea knowledge add"):
            KnowledgeLibrary(folder)


@pytest.mark.parametrize("name", [LIBRARY, DOCUMENTS])
def test_a_manifest_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    unindexed(tmp_path / "library", doc=said("Gout."))
    path = tmp_path / "library" / name
    path.replace(tmp_path / name)
    path.symlink_to(tmp_path / name)
    with pytest.raises(InputError, match="leads out"):
        KnowledgeLibrary(tmp_path / "library")


@pytest.mark.parametrize("file", ["../secret.md", "/etc/passwd", "a/../../secret.md"])
def test_a_source_outside_the_library_is_refused(tmp_path: Path, file: str) -> None:
    unindexed(tmp_path / "library")
    (tmp_path / "secret.md").write_text("secret")
    append_entry(tmp_path / "library", _entry(file=file))
    with pytest.raises(InputError, match="leads out"):
        KnowledgeLibrary(tmp_path / "library")


def test_a_source_that_was_changed_or_removed_is_refused_by_its_document(tmp_path: Path) -> None:
    unindexed(tmp_path, gout=said("Gout."), stroke=said("Stroke.", "Stroke"))
    (tmp_path / "sources" / "gout.md").write_text("other words")
    with pytest.raises(InputError, match=r"'gout'.*changed"):
        KnowledgeLibrary(tmp_path)
    (tmp_path / "sources" / "gout.md").unlink()
    with pytest.raises(InputError, match=r"'gout'.*missing"):
        KnowledgeLibrary(tmp_path)


@given(st.integers(0, 400))
def test_a_line_that_was_not_finished_does_not_count_and_is_mended(cut: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for i in range(2):
            append_entry(folder, _entry(f"d{i}"))
        whole = (folder / DOCUMENTS).read_bytes()
        (folder / DOCUMENTS).write_bytes(whole + whole[:cut].split(b"\n")[0])
        assert [entry.id for entry in read_states(folder)] == ["d0", "d1"]
        mend_tail(folder)
        assert (folder / DOCUMENTS).read_bytes() == whole


def test_a_line_that_is_no_document_is_refused_by_row(tmp_path: Path) -> None:
    append_entry(tmp_path, _entry())
    with (tmp_path / DOCUMENTS).open("a") as file:
        file.write('{"id": "secret"}\n')
    with pytest.raises(InputError, match=r"documents\.jsonl.*row 2") as error:
        read_states(tmp_path)
    assert "secret" not in str(error.value)


def test_the_last_state_of_a_document_counts(tmp_path: Path) -> None:
    for entry in (_entry("b"), _entry("a"), _entry("b", title="Stroke", expires=date(2026, 1, 1))):
        append_entry(tmp_path, entry)
    states = latest(read_states(tmp_path))
    assert list(states) == ["a", "b"]
    assert states["b"].title == "Stroke"
    assert states["b"].expires == date(2026, 1, 1)
