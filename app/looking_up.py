"""What the commands of `iikea knowledge` that only look do."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any, get_args

from app import console
from app.console import plain
from tools.records.faults import counted
from tools.safety.errors import InputError

if TYPE_CHECKING:
    from rich.table import Table

    from tools.knowledge.archive import Held
    from tools.knowledge.library import KnowledgeLibrary
    from tools.knowledge.passage import Entry, Passage
    from tools.knowledge.shelf import ShelfHit

_DIFFERS = 2


def list_documents(folders: Sequence[Path], as_json: bool) -> None:
    """Prints every document of libraries, retired and expired ones included."""
    from tools.knowledge.manifest import latest, read_states

    with console.busy("opening the library"):
        libraries = _open(folders)
    held = [(library, latest(read_states(library.folder))) for library in libraries]
    if as_json:
        console.print_json(
            [
                {
                    "title": library.title,
                    "version": library.version,
                    "retrieval": library.described,
                    "trust": trust,
                    "notices": list(library.notices()),
                    "documents": [
                        entry.model_dump(mode="json") | {"retrieved": key in library.entries}
                        for key, entry in entries.items()
                    ],
                }
                for trust, (library, entries) in enumerate(held, start=1)
            ]
        )
        return
    for library, entries in held:
        console.out.print(_documents_table(library, entries))
        for notice in library.notices():
            console.out.print(f"[yellow]notice[/] {plain(notice)}")


def search(query: str, folders: Sequence[Path], k: int, retrieval: str | None, as_json: bool) -> None:
    """Prints the passages nearest to a query."""
    from tools.knowledge.manifest import Retrieval
    from tools.knowledge.shelf import Shelf

    if retrieval is not None and retrieval not in get_args(Retrieval):
        raise InputError("retrieval", f"must be one of {', '.join(get_args(Retrieval))}")
    with console.busy("searching"):
        shelf = Shelf(_open(folders))
        hits = shelf.search(query, k, retrieval)  # type: ignore[arg-type]
    notices = shelf.notices(retrieval)  # type: ignore[arg-type]
    described = [library.described_as(retrieval) for library in shelf.libraries]  # type: ignore[arg-type]
    if as_json:
        found = [_cited(hit.passage, hit.entry) | _placed(hit) for hit in hits]
        told = {"query": query, "retrieval": described, "notices": list(notices)}
        console.print_json(told | {"passages": found})
        return
    for number, hit in enumerate(hits, start=1):
        places = ", ".join(f"{name} {rank}" for name, rank in hit.ranks.items())
        console.out.print(
            f"[bold]{number}. {plain(_heading(hit.passage))}[/] [dim]score {hit.score:.3f} ({places})[/]"
        )
        console.out.print(indent(plain(hit.passage.text), "   "))
        console.out.print(
            f"   [dim]{plain(_provenance(hit.entry))}. {plain(hit.library)}. Id {hit.passage.id}[/]\n"
        )
    if not hits:
        console.out.print("No passage answers this query.")
    console.out.print(f"[dim]Searched by {plain('; '.join(dict.fromkeys(described)))}.[/]")
    for notice in notices:
        console.out.print(f"[yellow]notice[/] {plain(notice)}")


def show(id_: str, folders: Sequence[Path], as_json: bool) -> None:
    """Prints a passage or a document.

    Raises:
        InputError: no library ever held it.
    """
    from tools.knowledge.archive import find_passage, held_documents
    from tools.knowledge.manifest import read_manifest

    today = _today()
    for library in _folders(folders):
        read_manifest(library)
        if "#" not in id_:
            held = next(held_documents(library, id_, today), None)
            if held is not None:
                return _show_document(held, as_json)
        elif (found := find_passage(library, id_, today)) is not None:
            return _show_passage(*found, as_json)
    rule = "no document or passage of this id in the library; see `iikea knowledge list` or `search`"
    raise InputError("id", rule)


def verify(folder: Path, as_json: bool) -> None:
    """Prints what differs between sources, manifest and index."""
    from tools.knowledge.verification import verify as verified

    with console.busy("reading every source"):
        found = verified(folder, _today())
    if as_json:
        console.print_json(found._asdict() | {"problems": [problem._asdict() for problem in found.problems]})
    else:
        for problem in found.problems:
            console.out.print(f"[bold red]{plain(problem.place)}[/] {plain(problem.rule)}")
        size = f"{counted(found.n_documents, 'document')}, {counted(found.n_passages, 'passage')}"
        state = "differ, see above" if found.problems else "agree"
        console.out.print(f"Sources, manifest and index {state}: {size}, version {found.version[:12]}.")
    if found.problems:
        raise SystemExit(_DIFFERS)


def _folders(folders: Sequence[Path]) -> list[Path]:
    from tools.resources import DEMO_LIBRARY

    return [folder.resolve() for folder in folders] or [DEMO_LIBRARY]


def _open(folders: Sequence[Path]) -> list["KnowledgeLibrary"]:
    from tools.resources import open_library

    return [open_library(str(folder)) for folder in folders] or [open_library()]


def _documents_table(library: "KnowledgeLibrary", entries: dict[str, "Entry"]) -> "Table":
    from rich.box import SIMPLE
    from rich.table import Table

    size = (
        f"{counted(len(library.entries), 'document')} retrieved, {counted(len(library.passages), 'passage')}"
    )
    title = f"{library.title}: {size}, version {library.version[:12]}, searched by {library.described}"
    headings = ("document", "kind, licence, source", "added, state")
    table = Table(
        *headings, title=plain(title), title_justify="left", title_style="bold", box=SIMPLE, pad_edge=False
    )
    for key, entry in entries.items():
        added = f"{entry.added_at:%Y-%m-%d} by {entry.added_by}"
        table.add_row(
            f"{plain(key)}\n[dim]{plain(entry.title)}[/]",
            f"{entry.media}, {plain(entry.licence)}\n[dim]{plain(entry.source)}[/]",
            f"{plain(added)}\n[dim]{plain(_state(entry, key in library.entries))}[/]",
        )
    return table


def _state(entry: "Entry", retrieved: bool) -> str:
    if entry.retired_at is not None:
        return f"retired {entry.retired_at:%Y-%m-%d}: {entry.retired_because}"
    if retrieved:
        return f"until {entry.expires}" if entry.expires else "retrieved"
    return f"expired {entry.expires}" if entry.expires and entry.expires < _today() else "not indexed yet"


def _show_passage(passage: "Passage", held: "Held", as_json: bool) -> None:
    if as_json:
        console.print_json(_cited(passage, held.entry) | {"standing": held.standing})
        return
    console.out.print(f"[bold]{plain(_heading(passage))}[/]\n")
    console.out.print(plain(passage.text))
    console.out.print(
        f"\n[dim]Document {held.entry.id}, characters {passage.start} to {passage.end} of its text. "
        f"{plain(_provenance(held.entry))}.[/]"
    )
    _warn(held)


def _show_document(held: "Held", as_json: bool) -> None:
    if as_json:
        passages = [_cited(passage, held.entry) for passage in held.passages]
        entry = held.entry.model_dump(mode="json")
        console.print_json({"document": entry, "standing": held.standing, "passages": passages})
        return
    console.out.print(f"[bold]{plain(held.entry.title)}[/] [dim]{plain(_provenance(held.entry))}[/]")
    for passage in held.passages:
        page = f", page {passage.page}" if passage.page else ""
        console.out.print(f"\n[bold]{plain(passage.section or 'Text')}[/][dim]{page}  {passage.id}[/]")
        console.out.print(plain(passage.text))
    _warn(held)


def _warn(held: "Held") -> None:
    said = {
        "retrieved": "",
        "expired": f"expired on {held.entry.expires}: no longer retrieved",
        "retired": f"retired: {held.entry.retired_because or 'no longer retrieved'}",
        "revised": "another text has taken the place of this one: no longer retrieved",
    }[held.standing]
    if said:
        console.out.print(f"[yellow]notice[/] {plain(said)}")


def _heading(passage: "Passage") -> str:
    page = f"page {passage.page}" if passage.page else ""
    return ", ".join(filter(None, (passage.title, passage.section, page)))


def _provenance(entry: "Entry") -> str:
    added = f"added {entry.added_at:%Y-%m-%d} by {entry.added_by}"
    revision = f"revision {entry.revision}" if entry.revision else ""
    return ". ".join(filter(None, (entry.source, f"Licence {entry.licence}", entry.url, revision, added)))


def _cited(passage: "Passage", entry: "Entry") -> dict[str, Any]:
    return passage.model_dump(mode="json") | {"document": entry.model_dump(mode="json")}


def _placed(hit: "ShelfHit") -> dict[str, Any]:
    return {"score": hit.score, "ranks": hit.ranks, "library": hit.library, "trust": hit.trust}


def _today() -> date:
    return datetime.now(UTC).date()
