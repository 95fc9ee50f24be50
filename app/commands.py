"""What each command of `iikea` does."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from app import auditing, console
from app.answering import Answers
from app.asking import Asked, Labels
from tools.records.faults import counted
from tools.safety.audit import audit_log
from tools.safety.errors import Fault, InputError
from tools.safety.free_text import hold, identifiers, told
from tools.safety.tracing import admit_tracing

if TYPE_CHECKING:
    from rich.table import Table

    from agents.recording import Recording
    from graph.context import DiagnosisContext
    from tools.records.check import RecordsCheck
    from tools.records.cohort import Patient
    from tools.records.simulate import Written
    from tools.reporting.labels import LabelKey
    from tools.reporting.result import DiagnosisResult

_REFUSED = 2
_CHECKED = "remove it, or give --comment-checked once you have looked at it"
_CREDENTIALED = "the records are credentialed: the run is local-only; --no-credentialed if all may see them"
_DEMO_VISITS = 4
_DEMO_CODES = 8


class Kept(NamedTuple):
    """Where a result is written besides the terminal.

    Attributes:
        report: HTML file.
        results: folder of stored results.
        fhir: file of a FHIR Bundle.
        subject: reference to the patient in it.
        csv: file of the predictions.
        labels: see there.
    """

    report: Path | None = None
    results: Path | None = None
    fhir: Path | None = None
    subject: str | None = None
    csv: Path | None = None
    labels: Labels = Labels()

    def require_places(self) -> None:
        """Check before the work that it can be kept so.

        Raises:
            InputError: a file cannot be named so, the subject is no reference, or something is of no use.
        """
        from tools.reporting.fhir import require_subject
        from tools.reporting.writing import require_place

        for field, path in (("report", self.report), ("fhir", self.fhir), ("csv", self.csv)):
            if path is not None:
                require_place(path, field)
        if self.subject is not None:
            if self.fhir is None:
                raise InputError("subject", "goes into the FHIR Bundle; name its file by --fhir too")
            require_subject(self.subject)
        self.labels.require_place()


class Comment(NamedTuple):
    """What the clinician wants looked at, and whether they have looked at it for identifiers."""

    text: str = ""
    checked: bool = False

    def admitted(self, as_json: bool) -> "Comment":
        """The comment that may be sent and stored; a person at a terminal is asked where it is held.

        Raises:
            Held: it may identify a person.
        """
        found = () if self.checked else identifiers(self.text, "comment")
        if found and not as_json and console.can_ask():
            import typer

            question = f"The comment may identify a person: {told(found)}. Send and store it as it is?"
            if typer.confirm(question, err=True):
                return self._replace(checked=True)
        hold("comment", self.text, self.checked, _CHECKED)
        return self


def predict(
    asked: Asked, comment: Comment, settings: dict[str, Any], kept: Kept, answers: Answers, as_json: bool
) -> None:
    """Predicts, prints, and writes report and result; a refusal ends with exit code 2."""
    admit_tracing()
    answers.require_one()
    kept.require_places()
    admitted = comment.admitted(as_json)
    _record(asked, admitted, settings)
    known = asked.read()
    if known.credentialed:
        settings = settings | {"local_only": True}
        console.err.print(f"[yellow]notice[/] {_CREDENTIALED}")
    if answers.dry_run:
        from app import rehearsing

        noted = (admitted.text, admitted.checked)
        rehearsing.show(rehearsing.rehearse(known.visits, *noted, _context(settings)), as_json)
        return
    key = kept.labels.key(known, settings["store"])
    result = _predicted(known.visits, admitted, settings, known.notices, answers.stored)
    _finish(result, kept, as_json, key)


def _record(asked: Asked, comment: Comment, settings: dict[str, Any]) -> None:
    """Logs the prediction; who it is about by pseudonyms."""
    about = {"patient": asked.patient, "history": asked.history, "comment": comment.text}
    pseudonyms = {kind: audit_log().pseudonym(kind, text) for kind, text in about.items() if text}
    told_of = {"model": settings["model"], "comment_checked": comment.checked}
    auditing.record_command("predict", asked.records, **told_of, **pseudonyms)


def demo(out: Path, settings: dict[str, Any], as_json: bool) -> None:
    """Predicts for a patient of the demo cohort who is left out of the fitted data set."""
    from tools import resources
    from tools.dataset.clinical import ClinicalDataset
    from tools.records.read import read_cohort

    admit_tracing()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError("out", f"no folder can be made there ({error.strerror}); name another") from None
    cohort = read_cohort(resources.DEMO_RECORDS)
    patient = next(p for p in cohort if len(p.visits) >= _DEMO_VISITS and len(_codes(p)) >= _DEMO_CODES)
    others = [row for row, id_ in enumerate(cohort.patient_ids) if id_ != patient.id]
    store = out / "store"
    ClinicalDataset.build(cohort.subset(others)).save(store)
    history = [list(visit.codes) for visit in patient.visits[:-1]]
    notices = ["the records are simulated: no real patient is in them"]
    result = _predicted(history, Comment(), settings | {"store": str(store)}, notices)
    report = out / "report.html"
    _finish(result, Kept(report), as_json)
    if not as_json:
        came = ", ".join(sorted(cohort.vocabulary.concept(key).display for key in patient.visits[-1].codes))
        console.out.print(f"\nWhat the patient's last visit, kept from the model, did carry: {came}.")
        console.out.print(f"[bold]Report:[/] {console.plain(str(report))}")


def _codes(patient: "Patient") -> set[str]:
    return {code for visit in patient.visits[:-1] for code in visit.codes}


def check(path: Path, format: str | None, system: str | None, as_json: bool) -> None:  # noqa: A002
    """Prints what records hold; ends with exit code 2 where they have faults."""
    from tools.records.check import check as check_records

    with console.busy("reading records"):
        found = check_records(path, format, system)
    if as_json:
        console.print_json(found.model_dump(mode="json"))
    else:
        _show_check(found)
    if found.fault_count:
        raise SystemExit(_REFUSED)


def convert(path: Path, out: Path, format: str | None, system: str | None, as_json: bool) -> None:  # noqa: A002
    """Writes records as MEDS."""
    from tools.records.formats.meds import writing as meds_writing
    from tools.records.read import read_cohort

    auditing.record_command("records convert", path)
    with console.busy("reading records"):
        cohort = read_cohort(path, format, system)
    with console.busy("writing"):
        notices = (*cohort.notices, *meds_writing.write(cohort, out))
    n_rows = len(cohort.codes)
    summary = {"out": str(out), "patients": cohort.n_patients, "visits": cohort.n_visits, "rows": n_rows}
    said = (
        f"Wrote {counted(cohort.n_patients, 'patient')}, {counted(cohort.n_visits, 'visit')}, "
        f"{counted(n_rows, 'diagnosis row')}: {console.plain(str(out))}"
    )
    _tell(summary, said, notices, as_json)


def simulate(
    out: Path,
    patients: int,
    seed: int,
    frailty: float,
    format: "Written",  # noqa: A002
    as_json: bool,
) -> None:
    """Writes simulated records and their true graph."""
    from tools.records import simulate as simulation

    with console.busy("simulating"):
        found = simulation.simulate(patients, seed, frailty=frailty)
        notices = simulation.write(found, out, format)
    cohort, edges = found.cohort, len(found.graph.edges)
    summary = {"out": str(out), "patients": cohort.n_patients, "visits": cohort.n_visits, "edges": edges}
    said = (
        f"Simulated {counted(cohort.n_patients, 'patient')} with {counted(cohort.n_visits, 'visit')} "
        f"from a graph of {counted(edges, 'edge')}: {console.plain(str(out))}"
    )
    _tell(summary, said, notices, as_json)


def _tell(summary: dict[str, Any], said: str, notices: Iterable[str], as_json: bool) -> None:
    """What was written, as one document or in words."""
    if as_json:
        console.print_json({**summary, "notices": list(notices)})
        return
    console.out.print(said)
    for notice in notices:
        console.out.print(f"[yellow]notice[/] {console.plain(notice)}")


def doctor(settings: dict[str, Any], as_json: bool) -> None:
    """Prints the findings of a look at the installation."""
    from app.doctor import examine

    with console.busy("looking"):
        findings = examine(_context(settings))
    if as_json:
        console.print_json([finding._asdict() for finding in findings])
    else:
        from rich.table import Table

        table = Table("", "what", "found", "to mend it")
        for finding in findings:
            mark = "[green]ok[/]" if finding.ok else "[yellow]--[/]" if finding.optional else "[red]no[/]"
            table.add_row(mark, finding.what, console.plain(finding.found), console.plain(finding.remedy))
        console.out.print(table)
    if any(not finding.ok and not finding.optional for finding in findings):
        raise SystemExit(1)


def _predicted(
    history: list[list[str]],
    comment: Comment,
    settings: dict[str, Any],
    notices: list[str],
    to: "Recording | None" = None,
) -> "DiagnosisResult":
    from app import predicting

    result = predicting.run(history, comment.text, comment.checked, _context(settings), to)
    return result.model_copy(update={"notices": (*notices, *result.notices)})


def _context(settings: dict[str, Any]) -> "DiagnosisContext":
    from pydantic import ValidationError

    from graph.context import DiagnosisContext

    try:
        return DiagnosisContext(**settings)
    except ValidationError as error:
        fault = error.errors(include_input=False)[0]
        raise InputError(str(fault["loc"][0]), fault["msg"]) from None


def _finish(result: "DiagnosisResult", kept: Kept, as_json: bool, key: "LabelKey | None" = None) -> None:
    from app import predicting, results

    if kept.results is not None:
        results.store(result, kept.results)
    if kept.report is not None:
        predicting.write_report(result, kept.report)
    if not result.refusal:
        if kept.fhir is not None:
            predicting.write_fhir(result, kept.subject, kept.fhir)
        if kept.csv is not None:
            predicting.write_table(result, kept.csv)
        if kept.labels.path is not None and key is not None:
            predicting.write_labels(result, key, kept.labels.path)
    if as_json:
        console.print_json(result.model_dump(mode="json"))
    else:
        predicting.show(result)
    if result.refusal:
        if kept.fhir or kept.csv or kept.labels.path:
            console.err.print("Without a prediction nothing was written as FHIR, CSV or labels.")
        raise SystemExit(_REFUSED)


def _show_check(found: "RecordsCheck") -> None:
    console.out.print(_check_table(found))
    if found.faults:
        console.out.print(
            console.fault_table(
                InputError("records", "", faults=tuple(Fault(f.row, f.column, f.rule) for f in found.faults))
            )
        )
        console.out.print(
            f"[bold red]{counted(found.fault_count, 'fault')}[/]: nothing was loaded. Mend them first."
        )
    if found.quality:
        console.out.print(_quality_table(found))
    for notice in found.notices:
        console.out.print(f"[yellow]notice[/] {console.plain(notice)}")


def _quality_table(found: "RecordsCheck") -> "Table":
    from rich.table import Table

    table = Table(title="Quality", title_justify="left")
    for heading in ("what", "number", "share", "meaning"):
        table.add_column(heading, justify="right" if heading in {"number", "share"} else "left")
    for line in found.quality:
        table.add_row(line.what, f"{line.count:,}", f"{line.share:.1%}", line.meaning)
    return table


def _check_table(found: "RecordsCheck") -> "Table":
    from rich.table import Table

    table = Table("what", "number", title=f"Records ({found.format})", title_justify="left")
    table.add_row("patients", f"{found.patients:,}")
    table.add_row("visits", f"{found.visits:,}")
    table.add_row("codes", f"{found.codes:,}")
    for system, n_codes in found.systems.items():
        table.add_row(f"  of {system}", f"{n_codes:,}")
    table.add_row("diagnosis rows", f"{found.rows:,}")
    for source, rows in found.named_by.items():
        table.add_row(f"  named by {source}", f"{rows:,}")
    table.add_row("faults", f"{found.fault_count:,}")
    return table
