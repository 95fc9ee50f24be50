"""What commands put into the audit log, and the commands of `iikea audit`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from app import console
from app.console import errors_as_exit_codes
from app.options import Json
from tools.records.faults import counted
from tools.safety.audit import audit_log
from tools.safety.audit_check import Checked, latest
from tools.safety.audit_check import verify as verified

audit = typer.Typer(
    no_args_is_help=True,
    help="The log of what was asked, sent and curated.\n\nOne JSON object a line, each with the hash of the "
    "one before; IIKEA_AUDIT_LOG says where, else iikea/audit.jsonl in $XDG_STATE_HOME or ~/.local/state. "
    "No value of a patient is in it: pseudonyms and salted hashes only.",
)
_CHAIN = ("line", "time", "event", "user", "hash", "previous")
_END_UNKNOWN = "no head stands beside the log: lines cut from its end are not missed"

Log = Annotated[Path | None, typer.Argument(metavar="FILE", help="Left out: the log of this user.")]


def record_command(command: str, records: Path | None = None, **fields: Any) -> None:  # noqa: ANN401
    """Logs that a command works on patients, before it does.

    Args:
        command: such as `records fit`.
        records: file or folder that it reads; logged as a pseudonym, since it may be named after a patient.
        fields: JSON-native, nothing of a patient.

    Raises:
        AuditError: the log cannot be written.
    """
    place = {"records": path_pseudonym(records)} if records is not None else {}
    audit_log().append("command", command=command, **place, **fields)


def record_curation(action: str, library: Path, **fields: Any) -> None:  # noqa: ANN401
    """Logs that a library is curated, before it is.

    Args:
        action: what is done.
        library: folder of the library; logged as a pseudonym.
        fields: JSON-native; documents by `document_pseudonym`.

    Raises:
        AuditError: the log cannot be written.
    """
    audit_log().append("curation", action=action, library=path_pseudonym(library), **fields)


def path_pseudonym(path: Path) -> str:
    """What stands in the log for a file or folder."""
    return audit_log().pseudonym("path", str(path.resolve()))


def document_pseudonym(doc_id: str) -> str:
    """What stands in the log for a document of a library: its id is made of a file name."""
    return audit_log().pseudonym("document", doc_id)


@audit.command("verify")
def verify(
    file: Log = None,
    head: Annotated[
        str | None,
        typer.Option("--head", metavar="HASH", help="Of a line, kept elsewhere: it must be in the log."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say whether the log is as it was written, or the first line where it was edited, cut or reordered.

    Ends with exit code 1 where it is not. Who may write to the log, and to what stands beside it, can make
    all of it anew: keep the head that this command prints on another machine, and give it by --head.
    """
    with errors_as_exit_codes(as_json):
        checked = verified(file or audit_log().path, head)
        if as_json:
            fault = checked.fault._asdict() if checked.fault else None
            console.print_json(checked._asdict() | {"fault": fault})
        else:
            _show_checked(checked)
        if checked.fault:
            raise SystemExit(1)


def _show_checked(checked: Checked) -> None:
    if checked.fault is None:
        console.out.print(
            f"[green]ok[/]: {counted(checked.lines, 'line')}, head {checked.head}", soft_wrap=True
        )
    else:
        line, what = checked.fault
        console.out.print(f"[bold red]line {line:,}[/]: {console.plain(what)}", soft_wrap=True)
    for line in checked.torn:
        console.out.print(f"[yellow]notice[/] line {line:,} was left unfinished by a crash")
    if not checked.knows_its_end:
        console.out.print(f"[yellow]notice[/] {_END_UNKNOWN}")


@audit.command("show")
def show(
    file: Log = None,
    last: Annotated[int, typer.Option("--last", min=1, help="How many lines.")] = 20,
    as_json: Json = False,
) -> None:
    """Show the last lines of the log, oldest first."""
    with errors_as_exit_codes(as_json):
        entries = latest(file or audit_log().path, last)
        if as_json:
            console.print_json(entries)
            return
        for entry in entries:
            said = " ".join(f"{name}={value}" for name, value in sorted(entry.items()) if name not in _CHAIN)
            head = f"{entry['line']} {entry.get('time')} {entry.get('user')} {entry.get('event')}"
            console.out.print(f"[dim]{console.plain(head)}[/] {console.plain(said)}", soft_wrap=True)
