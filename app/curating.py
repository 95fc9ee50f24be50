"""What the commands of `iikea knowledge` that change a library do."""

import getpass
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from app import auditing, console
from tools.records.faults import counted
from tools.safety.errors import IikeaError, InputError
from tools.safety.free_text import hold

if TYPE_CHECKING:
    from app.fetching import Asked
    from app.results import Citing
    from tools.knowledge.curation import Curator
    from tools.knowledge.details import Details, Outcome

MAX_FILES = 100_000
_REFUSED = 2
_NO_SERVER = "none"
_BEHIND = (
    "the index before is still at {}, collection {}, with the documents' words: its server did not answer"
)
# Faults that the next document would meet too.
_CHECKED = "{} it, or give --checked once you have looked at it"
_OF_THE_LIBRARY = frozenset({"embedding", "index", "index server", "library.json, server"})


class Said(NamedTuple):
    """What the operator says of the documents that are added."""

    title: str = ""
    licence: str = ""
    source: str = ""
    about: list[str] | None = None
    alias: list[str] | None = None
    expires: str | None = None
    by: str | None = None
    trusted: bool = False
    revise: bool = False
    checked: bool = False

    def hold_names(self) -> None:
        """Lets titles and aliases pass that name no person, or that somebody has looked at.

        Raises:
            Held: one may identify a person.
        """
        for field, text in (("title", self.title), *(("alias", alias) for alias in self.alias or ())):
            hold(field, text, self.checked, _CHECKED.format("remove"))

    def details(self) -> "Details":
        """The same, admitted.

        Raises:
            InputError: a date or a code that is none.
        """
        from tools.knowledge.details import Details, admitted_codes

        return Details(
            added_by=self.by or _user(),
            title=self.title,
            licence=self.licence,
            source=self.source,
            codes=admitted_codes(self.about or ()),
            aliases=tuple(alias.lower() for alias in self.alias or ()),
            expires=admitted_date("expires", self.expires),
            trusted=self.trusted,
            revise=self.revise,
        )


_STATES = {
    "added": "",
    "revised": "",
    "updated": " (what is said of them)",
    "unchanged": "",
    "duplicate": " (the library holds the same under this id)",
    "retired": " (were retired, and stay so; --revise brings them back)",
}


class Refused(NamedTuple):
    """A document that was not added, and why."""

    file: str
    place: str
    rule: str


class Additions(NamedTuple):
    """What became of the documents that were given, and what kept more from coming."""

    outcomes: list["Outcome"]
    refused: list[Refused]
    failure: IikeaError | None = None


def add(documents: Sequence[Path], library: Path, said: Said, wait_s: float, as_json: bool) -> None:
    """Adds files and folders of files; ends with exit code 2 where one of them was refused."""
    from tools.knowledge.formats.limits import SUFFIXES
    from tools.knowledge.given import documents_below

    details = said.details()
    said.hold_names()
    files = [found for path in documents for found in documents_below(path, SUFFIXES, MAX_FILES)]
    if said.title and len(files) > 1:
        raise InputError(
            "title", f"one title for {len(files):,} documents; add them one by one, or leave it out"
        )
    for n, (path, _) in enumerate(files, 1):
        hold(f"file name of document {n} of {len(files)}", path.stem, said.checked, _CHECKED.format("rename"))
    _added("add", files, library, details, wait_s, as_json)


def note(text: str, library: Path, said: Said, wait_s: float, as_json: bool) -> None:
    """Adds a note; one that is none makes no library."""
    from tools.knowledge.formats.plain import read_note
    from tools.knowledge.text import plain

    details = said.details()
    read_note(plain(text.strip().encode("utf-8", "surrogatepass"), "note"), "note")
    said.hold_names()
    hold("note", text, said.checked, _CHECKED.format("remove"))
    auditing.record_curation("note", library)
    with _curated(library, wait_s) as (curator, progress):
        outcome = curator.note(text, details)
        _record_outcomes("note", library, [outcome])
        curator.publish(progress.told)
    _show_outcomes(Additions([outcome], []), library, as_json)


def fetch(asked: "Asked", library: Path, by: str | None, revise: bool, wait_s: float, as_json: bool) -> None:
    """Fetches from a publisher and adds what came; what came before a failure is added too."""
    details = Said(by=by, revise=revise).details()
    with tempfile.TemporaryDirectory(prefix="iikea-fetch-") as name:
        with console.busy(f"asking {asked.publisher}"):
            files, failure = _received(asked, Path(name))
        if failure is not None and not files:
            raise failure
        _added("fetch", files, library, details, wait_s, as_json, failure)


def _received(asked: "Asked", folder: Path) -> tuple[list[tuple[Path, str]], IikeaError | None]:
    from app.fetching import fetched

    files: list[tuple[Path, str]] = []
    try:
        for document in fetched(asked):
            path = folder / f"{document.file_stem}.md"
            path.write_text(document.markdown, encoding="utf-8")
            files.append((path, document.file_stem))
    except IikeaError as error:
        return files, error
    return files, None


def retire(
    document: str, library: Path, because: str, results: Path | None, wait_s: float, as_json: bool
) -> None:
    """Takes a document out of retrieval and prints the stored results that cited it."""
    from app.results import citing, passages_of

    found = citing(results, passages_of(library, document)) if results else None
    auditing.record_curation("retire", library, document=auditing.document_pseudonym(document))
    with _curated(library, wait_s, new=False) as (curator, progress):
        curator.retire(document, because)
        curator.publish(progress.told)
    if as_json:
        console.print_json(
            {"retired": document, "results": str(results) if results else None} | _listed(found)
        )
        return
    console.out.print(f"[bold]{console.plain(document)}[/] is no longer retrieved; `show` still finds it.")
    if results is None:
        console.out.print("Name the folder of stored results with --results to see which of them cited it.")
        return
    citing_it, unreadable = found or ([], [])
    console.out.print(
        f"{counted(len(citing_it), 'stored result')} in {console.plain(str(results))} cited it."
    )
    for one in citing_it:
        console.out.print(
            f"  {console.plain(str(one.path))}  [dim]{console.plain(', '.join(one.passages))}[/]"
        )
    for path in unreadable:
        console.out.print(f"[yellow]notice[/] {console.plain(str(path))} is no stored result: not looked at")


def _listed(found: "tuple[list[Citing], list[Path]] | None") -> dict[str, Any]:
    citing_it, unreadable = found or ([], [])
    cited = [{"result": str(one.path), "passages": list(one.passages)} for one in citing_it]
    return {"cited_by": cited, "not_looked_at": [str(path) for path in unreadable]}


def rebuild(
    library: Path,
    embedding: str | None,
    retrieval: str | None,
    server: str | None,
    wait_s: float,
    as_json: bool,
) -> None:
    """Makes the index anew, after the manifest was changed as asked."""
    auditing.record_curation("rebuild", library, embedding=embedding, retrieval=retrieval)
    with _curated(library, wait_s, new=False) as (curator, progress):
        rebuilt = curator.rebuild(progress.told, **_changes(embedding, retrieval, server))
    opened = _open(library)
    notices = [_BEHIND.format(*rebuilt.left_behind)] if rebuilt.left_behind else []
    if embedding and opened.retrieval == "lexical":
        notices.append("its vectors are there, but not searched: give --retrieval hybrid, or dense")
    if as_json:
        counts = {"documents": rebuilt.n_documents, "passages": len(opened.passages), "notices": notices}
        console.print_json(counts | {"version": opened.version, "retrieval": opened.described})
        return
    size = f"{counted(rebuilt.n_documents, 'document')}, {counted(len(opened.passages), 'passage')}"
    console.out.print(f"Index made anew: {size}. Searched by {console.plain(opened.described)}.")
    for notice in notices:
        console.out.print(f"[yellow]notice[/] {console.plain(notice)}")


def _changes(embedding: str | None, retrieval: str | None, server: str | None) -> dict[str, Any]:
    """The keys of `library.json` that shall be otherwise."""
    asked = {"embedding": embedding, "retrieval": retrieval, "server": server}
    changes: dict[str, Any] = {key: value for key, value in asked.items() if value}
    return changes | ({"server": None} if server == _NO_SERVER else {})


def _record_outcomes(action: str, library: Path, outcomes: Sequence["Outcome"]) -> None:
    documents = {auditing.document_pseudonym(outcome.doc_id): outcome.state for outcome in outcomes}
    auditing.record_curation(f"{action}: done", library, documents=documents)


def _added(
    action: str,
    files: Sequence[tuple[Path, str]],
    library: Path,
    details: "Details",
    wait_s: float,
    as_json: bool,
    failure: IikeaError | None = None,
) -> None:
    added = Additions([], [], failure)
    auditing.record_curation(action, library, given=len(files))
    with _curated(library, wait_s) as (curator, progress):
        for done, (path, doc_id) in enumerate(files):
            progress.told(f"adding {path.name}", done, len(files))
            try:
                added.outcomes.append(curator.add(path, doc_id, details, progress.pages))
            except InputError as error:
                if error.field in _OF_THE_LIBRARY:
                    raise
                place = error.field if error.row is None else f"{error.field}, row {error.row}"
                added.refused.append(Refused(str(path), place, error.rule))
        _record_outcomes(action, library, added.outcomes)
        curator.publish(progress.told)
    _show_outcomes(added, library, as_json)
    if failure is not None:
        raise SystemExit(failure.exit_code)
    if added.refused:
        raise SystemExit(_REFUSED)


class _Bar:
    """A progress bar that says what is being done."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("opening the library", total=None)

    def told(self, what: str, done: int, total: int) -> None:
        """So many of so many are done."""
        self._progress.update(self._task, description=console.plain(what)[:60], completed=done, total=total)

    def pages(self, what: str, done: int, total: int) -> None:
        """Pages of the document that is being added; the bar goes on counting documents."""
        task = self._progress.tasks[0]
        description = task.description.partition(" · ")[0]
        self._progress.update(self._task, description=f"{description} · {what} {done} of {total}")


@contextmanager
def _curated(library: Path, wait_s: float, new: bool = True) -> Iterator[tuple["Curator", _Bar]]:
    from tools.knowledge.curation import curate
    from tools.knowledge.manifest import Manifest

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    made = Manifest(title=library.resolve().name or "library") if new else None
    with Progress(*columns, TimeElapsedColumn(), console=console.err, transient=True) as progress:
        bar = _Bar(progress)

        def waiting(holder: str) -> None:
            console.err.print(
                f"[yellow]waiting[/] process {console.plain(holder)} is writing to this library"
            )

        with curate(library, made, wait_s, waiting) as curator:
            yield curator, bar


def _show_outcomes(added: Additions, library: Path, as_json: bool) -> None:
    opened = _open(library)
    outcomes, refused, failure = added
    if as_json:
        told = {"failure": console.describe(failure)} if failure else {}
        console.print_json(
            told
            | {
                "documents": [outcome._asdict() for outcome in outcomes],
                "refused": [one._asdict() for one in refused],
                "library": {"title": opened.title, "version": opened.version, "retrieval": opened.described},
                "notices": list(opened.notices()),
            }
        )
        return
    if failure is not None:
        console.err.print(f"[bold red]error[/] {console.plain(str(failure))}")
    for state, meaning in _STATES.items():
        of_state = [outcome for outcome in outcomes if outcome.state == state]
        if of_state:
            ids = ", ".join(outcome.doc_id for outcome in of_state[:5]) + (
                ", ..." if len(of_state) > 5 else ""
            )
            passages = sum(outcome.n_passages for outcome in of_state)
            size = f", {counted(passages, 'passage')}" if passages else ""
            said = f"{counted(len(of_state), 'document')}{size}{meaning}"
            console.out.print(f"[green]{state}[/] {said}: {console.plain(ids)}")
    for one in refused[:50]:
        where = f"{one.file}: {one.place}" if one.place not in one.file else one.file
        console.out.print(f"[bold red]refused[/] {console.plain(where)}: {console.plain(one.rule)}")
    if len(refused) > 50:
        console.out.print(f"[bold red]refused[/] {len(refused) - 50:,} more")
    size = f"{counted(len(opened.entries), 'document')}, {counted(len(opened.passages), 'passage')}"
    console.out.print(
        f"[dim]{console.plain(opened.title)}: {size}, version {opened.version[:12]}, searched by "
        f"{console.plain(opened.described)}[/]"
    )


def _open(library: Path) -> Any:  # noqa: ANN401
    from tools.resources import open_library

    return open_library(str(library))


def admitted_date(field: str, text: str | None) -> date | None:
    """A date that was given as text, if any.

    Raises:
        InputError: it is none.
    """
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise InputError(field, "no date; write it as YYYY-MM-DD") from None


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"user {os.getuid()}"
