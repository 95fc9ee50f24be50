"""What commands put into the audit log, `iikea audit`, and comments and notes that are held."""

import json
import re

import pytest
from typer.testing import CliRunner

from app import console
from app.cli import app
from app.house import ROOT
from tools.safety.audit import AuditLog, audit_log
from tools.safety.audit_check import latest, verify

HISTORY = ("--history", "250.00 401.9; 585.9")
SMALL = ("--max-iterations", 0, "--resamples", 0, "--without-knowledge")
TELLING = "the kidneys of MRN-12345678"
RECORDS = ROOT / "data" / "demo" / "cohort.csv.gz"
ROWS = ("JANEDOE,1,4019", "JANEDOE,2,25000", "B,1,4019", "B,2,5859")
CSV = "\n".join(["patient,time,code,system", *(f"{row},ICD9CM" for row in ROWS), ""])


def logged(event):
    path = audit_log().path
    return [entry for entry in latest(path, 1_000) if entry["event"] == event] if path.exists() else []


@pytest.fixture
def records(tmp_path):
    path = tmp_path / "JANEDOE.csv"
    path.write_text(CSV)
    return path


def test_each_command_that_works_on_patients_is_a_line(iikea, records, tmp_path):
    store = tmp_path / "store"
    assert iikea("records", "fit", records, "--store", store).code == 0
    assert iikea("predict", "--store", store, "--records", records, "--patient", "JANEDOE", *SMALL).code == 0
    out = ("--out", tmp_path / "run", "--methods", "frequency")
    assert iikea("evaluate", "--records", records, *out).code in {0, 2}
    fit, predict, evaluate = logged("command")
    assert [line["command"] for line in (fit, predict, evaluate)] == ["records fit", "predict", "evaluate"]
    assert fit["records"] == predict["records"] == evaluate["records"]
    assert predict["model"] == evaluate["model"] == "statistical"
    assert predict["patient"] == audit_log().pseudonym("patient", "JANEDOE")
    assert "JANEDOE" not in audit_log().path.read_text()


def test_convert_is_a_line_even_where_it_fails(iikea, tmp_path):
    assert iikea("records", "convert", tmp_path / "none.csv", "--out", tmp_path / "meds").code == 2
    (line,) = logged("command")
    assert line["command"] == "records convert"


def test_a_history_is_a_pseudonym(iikea):
    assert iikea("predict", *HISTORY, *SMALL, "--comment", "the kidneys").code == 0
    (line,) = logged("command")
    words = audit_log().path.read_text()
    assert re.fullmatch("[0-9a-f]{32}", line["history"])
    assert re.fullmatch("[0-9a-f]{32}", line["comment"])
    assert not any(code in words for code in ("250.00", "585.9", "kidneys"))


@pytest.mark.parametrize(
    "asked",
    [
        ("predict", *HISTORY, *SMALL),
        ("records", "fit", RECORDS, "--store", "STORE"),
        ("records", "convert", RECORDS, "--out", "STORE"),
        ("knowledge", "note", "Gout is treated first.", "--library", "STORE"),
    ],
)
def test_nothing_is_done_that_cannot_be_logged(iikea, tmp_path, monkeypatch, asked):
    monkeypatch.setenv("IIKEA_AUDIT_LOG", str(tmp_path))
    place = tmp_path / "made"
    ended = iikea(*(place if argument == "STORE" else argument for argument in asked), "--json")
    assert ended.code == 1
    assert ended.json["error"]["kind"] == "AuditError"
    assert "IIKEA_AUDIT_LOG" in ended.json["error"]["message"]
    assert not place.exists()


def test_documents_are_lines_by_pseudonym(iikea, tmp_path):
    library = tmp_path / "library"
    document = tmp_path / "Jane-Doe-gout.md"
    document.write_text("# Gout\n\nGout raises the chance of kidney stones.\n")
    assert iikea("knowledge", "add", document, "--library", library).code == 0
    assert iikea("knowledge", "note", "Gout is treated first.", "--library", library).code == 0
    assert iikea("knowledge", "retire", "jane-doe-gout", "--library", library, "--because", "old").code == 0
    lines = logged("curation")
    assert [line["action"] for line in lines] == ["add", "add: done", "note", "note: done", "retire"]
    assert list(lines[1]["documents"].values()) == ["added"]
    assert list(lines[1]["documents"]) == [lines[4]["document"]]
    words = audit_log().path.read_text()
    assert "ane-" not in words
    assert "Gout" not in words


def test_a_comment_that_tells_of_a_person_is_held_and_nothing_is_kept(iikea, tmp_path):
    results = tmp_path / "results"
    ended = iikea("predict", *HISTORY, *SMALL, "--comment", TELLING, "--results", results, "--json")
    assert ended.code == 2
    error = ended.json["error"]
    assert error["field"] == "comment"
    assert "identifier (characters 20 to 27)" in error["message"]
    assert "--comment-checked" in error["message"]
    assert "12345678" not in ended.out + ended.err
    assert not results.exists()
    assert logged("command") == []


def test_one_that_was_looked_at_passes(iikea):
    ended = iikea("predict", *HISTORY, *SMALL, "--comment", TELLING, "--comment-checked", "--json")
    assert ended.json["comment"] == TELLING
    assert logged("command")[0]["comment_checked"] is True


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 2), ("\n", 2)])
def test_people_at_a_terminal_are_asked(monkeypatch, answer, code):
    monkeypatch.setattr(console, "can_ask", lambda: True)
    asked = [str(argument) for argument in ("predict", *HISTORY, *SMALL, "--comment", TELLING)]
    ended = CliRunner().invoke(app, asked, input=answer)
    assert ended.exit_code == code
    assert "identifier (characters 20 to 27)" in ended.stderr
    assert "12345678" not in ended.stderr


@pytest.mark.parametrize(
    "given",
    [
        ("note", "Call 555-123-4567 about gout."),
        ("note", "Gout is treated first.", "--title", "Letter of 17 January 2024"),
        ("add", "FOLDER/gout.md", "--title", "MRN 4471203"),
        ("add", "FOLDER/MRN-4471203.md"),
        ("add", "FOLDER"),
    ],
)
def test_notes_titles_and_file_names_are_held_and_make_no_library(iikea, tmp_path, given):
    folder, library = tmp_path / "given", tmp_path / "library"
    folder.mkdir()
    for name in ("gout.md", "MRN-4471203.md"):
        (folder / name).write_text("# Gout\n\nGout raises the chance of kidney stones.\n")
    arguments = [argument.replace("FOLDER", str(folder)) for argument in given]
    ended = iikea("knowledge", *arguments, "--library", library, "--json")
    assert ended.code == 2
    assert ended.json["error"]["kind"] == "Held"
    assert "--checked" in ended.json["error"]["message"]
    for words in ("4471203", "4567", "January"):
        assert words not in ended.json["error"]["message"]
    assert not library.exists()
    assert iikea("knowledge", *arguments, "--checked", "--library", library, "--json").code == 0


def test_verify_says_how_long_the_log_is_and_its_head(iikea):
    for k in range(3):
        audit_log().append("test", k=k)
    ended = iikea("audit", "verify", "--json")
    assert ended.code == 0
    head = verify(audit_log().path).head
    assert ended.json == {"lines": 3, "head": head, "fault": None, "torn": [], "knows_its_end": True}
    assert f"ok: 3 lines, head {head}" in iikea("audit", "verify").out.replace("\n", " ")
    assert iikea("audit", "verify", "--head", head).code == 0


def test_verify_names_the_line_and_ends_with_1(iikea, tmp_path):
    log = AuditLog(tmp_path / "other.jsonl")
    for k in range(3):
        log.append("test", k=k)
    log.path.write_bytes(log.path.read_bytes().replace(b'"k":1', b'"k":8'))
    ended = iikea("audit", "verify", log.path)
    assert ended.code == 1
    assert "line 2" in ended.out
    assert "edited" in ended.out
    assert iikea("audit", "verify", log.path, "--json").json["fault"]["line"] == 2


def test_verify_of_no_log_says_so(iikea, tmp_path):
    ended = iikea("audit", "verify", tmp_path / "none.jsonl", "--json")
    assert ended.code == 1
    assert ended.json["error"]["kind"] == "AuditError"


def test_show_prints_the_last_lines(iikea):
    for k in range(30):
        audit_log().append("test", k=k)
    assert [entry["k"] for entry in iikea("audit", "show", "--last", 2, "--json").json] == [28, 29]
    shown = iikea("audit", "show", "--last", 3).out
    assert shown.count("test") == 3
    assert "k=29" in shown


def test_doctor_tells_where_the_log_is(iikea, monkeypatch, tmp_path):
    found = {line["what"]: line for line in iikea("doctor", "--json").json}
    assert found["audit log"]["ok"]
    assert json.dumps(str(audit_log().path))[1:-1] in json.dumps(found["audit log"]["found"])
    monkeypatch.setenv("IIKEA_AUDIT_LOG", str(tmp_path))
    assert iikea("doctor", "--json").code == 1
