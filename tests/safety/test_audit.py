"""The audit log: whole under many writers and after a crash, and telling where it was changed."""

import json
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.house import ROOT
from tools.safety import audit
from tools.safety.audit import AuditError, AuditLog, audit_log, sealed
from tools.safety.audit_check import verify

WRITER = """
import sys
from pathlib import Path
from tools.safety import audit
from tools.safety.audit import AuditLog
log = AuditLog(Path(sys.argv[1]))
for n in range(50):
    log.append("test", writer=sys.argv[2], n_th=n)
"""


@pytest.fixture
def log(tmp_path) -> AuditLog:
    return AuditLog(tmp_path / "log" / "audit.jsonl")


def lines(log):
    return log.path.read_bytes().splitlines(keepends=True)


def entries(log):
    return [json.loads(line) for line in lines(log)]


def filled(log, n=5):
    for k in range(n):
        log.append("test", k=k)
    return lines(log)


def test_a_line_is_json_with_the_hash_of_the_one_before(log):
    filled(log, 3)
    first, second, third = entries(log)
    assert [entry["line"] for entry in (first, second, third)] == [1, 2, 3]
    assert first["previous"] == "0" * 64
    assert (second["previous"], third["previous"]) == (first["hash"], second["hash"])
    assert first["event"] == "test"
    assert first["k"] == 0
    assert first["time"].endswith("Z")
    found = verify(log.path)
    assert found.fault is None
    assert (found.lines, found.head) == (3, third["hash"])


def test_what_is_beside_it_and_itself_are_its_owner_s_alone(log):
    filled(log, 2)
    log.pseudonym("patient", "12")
    files = list(log.path.parent.iterdir())
    assert len(files) == 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(log.path.parent.stat().st_mode) == 0o700


def test_four_processes_lose_no_line(log):
    commands = [[sys.executable, "-c", WRITER, str(log.path), str(k)] for k in range(4)]
    running = [subprocess.Popen(command, cwd=ROOT) for command in commands]
    assert [process.wait(120) for process in running] == [0] * 4
    assert verify(log.path) == (200, entries(log)[-1]["hash"], None, (), True)
    told = {(entry["writer"], entry["n_th"]) for entry in entries(log)}
    assert len(told) == 200


def test_threads_lose_no_line(log):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda k: log.append("test", k=k), range(80)))
    assert verify(log.path).lines == 80
    assert {entry["k"] for entry in entries(log)} == set(range(80))
    assert len({log.pseudonym("patient", "1") for _ in range(3)}) == 1


def test_hundreds_of_threads_do_not_starve_each_other(log, monkeypatch):
    monkeypatch.setattr(audit, "_WAIT_S", 0.05)
    with ThreadPoolExecutor(100) as pool:
        list(pool.map(lambda k: log.append("test", k=k), range(200)))
    assert verify(log.path).lines == 200


@pytest.mark.parametrize("at", range(5))
def test_an_edited_line_is_named(log, at):
    whole = filled(log)
    edited = whole[at].replace(b'"k":%d' % at, b'"k":9')
    assert edited != whole[at]
    log.path.write_bytes(b"".join([*whole[:at], edited, *whole[at + 1 :]]))
    fault = verify(log.path).fault
    assert fault is not None
    assert fault.line == at + 1
    assert "edited" in fault.what


@pytest.mark.parametrize("at", range(4))
def test_a_line_edited_with_its_hash_is_told_by_the_next(log, at):
    whole = filled(log)
    entry = json.loads(whole[at]) | {"k": 9}
    del entry["hash"]
    forged = sealed(entry)
    log.path.write_bytes(b"".join([*whole[:at], forged, *whole[at + 1 :]]))
    fault = verify(log.path).fault
    assert fault is not None
    assert fault.line == at + 2


@pytest.mark.parametrize("at", range(5))
def test_a_line_cut_is_named_even_the_last(log, at):
    whole = filled(log)
    log.path.write_bytes(b"".join(whole[:at] + whole[at + 1 :]))
    fault = verify(log.path).fault
    assert fault is not None
    assert fault.line == at + 1
    assert "cut" in fault.what


def test_lines_reordered_are_named(log):
    whole = filled(log)
    log.path.write_bytes(b"".join([whole[0], whole[2], whole[1], *whole[3:]]))
    fault = verify(log.path).fault
    assert fault is not None
    assert fault.line == 2


def test_an_emptied_log_is_told_and_so_is_one_that_went_on_after_it(log):
    filled(log)
    log.path.write_bytes(b"")
    assert verify(log.path).fault is not None
    log.append("test", k=7)
    assert entries(log)[0]["line"] == 6
    fault = verify(log.path).fault
    assert fault is not None
    assert fault.line == 1
    assert "cut" in fault.what


def torn(log, kept):
    """A log of five lines, the last one written in part when the process died."""
    filled(log, 4)
    head = log.head.read_bytes()
    whole = filled(log, 1)
    log.head.write_bytes(head)
    log.path.write_bytes(b"".join([*whole[:4], whole[4][:kept]]))


@pytest.mark.parametrize(("kept", "noted"), [(1, (5,)), (30, (5,)), (-1, ())])
def test_a_torn_last_line_is_named_and_outlived(log, kept, noted):
    torn(log, kept)
    fault = verify(log.path).fault
    assert fault is not None
    assert fault.line == 5
    assert "torn" in fault.what
    log.append("test", k=5)
    log.append("test", k=6)
    found = verify(log.path)
    assert found.fault is None
    assert found.torn == noted
    assert found.lines == len(lines(log)) == 7


def test_a_line_made_unreadable_later_is_not_taken_for_a_torn_one(log):
    whole = filled(log)
    log.path.write_bytes(b"".join([*whole[:4], whole[4][:30]]))
    assert "edited" in verify(log.path).fault.what
    log.append("test", k=5)
    assert verify(log.path).fault.line == 5


def test_a_crash_before_the_head_was_noted_is_no_fault(log):
    whole = filled(log, 2)
    head = log.head.read_bytes()
    filled(log, 1)
    log.head.write_bytes(head)
    assert verify(log.path).fault is None
    assert len(whole) == 2
    filled(log, 1)
    assert verify(log.path).lines == 4


def test_a_line_whose_words_were_taken_back_after_a_torn_one_is_told(log):
    torn(log, 30)
    log.append("test", k=5)
    mended = lines(log)
    log.path.write_bytes(b"".join([*mended[:4], b'{"other"\n', mended[5]]))
    fault = verify(log.path).fault
    assert fault is not None
    assert fault.line == 5


def test_a_head_kept_elsewhere_tells_a_log_that_was_written_anew(log, tmp_path):
    filled(log)
    kept = verify(log.path).head
    forged = AuditLog(tmp_path / "other" / "audit.jsonl")
    filled(forged)
    assert verify(forged.path).fault is None
    fault = verify(forged.path, kept=kept).fault
    assert fault is not None
    assert "kept" in fault.what
    log.append("test", k=6)
    assert verify(log.path, kept=kept).fault is None


def test_a_pseudonym_is_salted_and_of_one_log(log, tmp_path):
    here = log.pseudonym("patient", "10006")
    assert here == log.pseudonym("patient", "10006") != log.pseudonym("patient", "10007")
    assert here != log.pseudonym("history", "10006")
    assert here != AuditLog(tmp_path / "other.jsonl").pseudonym("patient", "10006")
    assert "10006" not in here


@pytest.mark.parametrize("text", ["canary", ["canary"], {"x": "canary"}])
def test_what_is_given_is_written(log, text):
    log.append("test", word=text)
    assert entries(log)[0]["word"] == text


def test_a_log_that_cannot_be_written_is_a_typed_error(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "audit.jsonl", tmp_path):
        with pytest.raises(AuditError, match="IIKEA_AUDIT_LOG"):
            AuditLog(path).append("test")


def test_a_full_disk_is_a_typed_error_and_leaves_a_log_that_goes_on(log, monkeypatch):
    filled(log, 2)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(AuditError, match="No space"):
            log.append("test", k=3)
    log.append("test", k=4)
    assert verify(log.path).fault is None


def test_the_place_is_the_state_folder_unless_said_otherwise(monkeypatch, tmp_path):
    monkeypatch.delenv("IIKEA_AUDIT_LOG")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert audit_log().path == tmp_path / "iikea" / "audit.jsonl"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert audit_log().path == tmp_path / ".local" / "state" / "iikea" / "audit.jsonl"
    monkeypatch.setenv("IIKEA_AUDIT_LOG", str(tmp_path / "here.jsonl"))
    assert audit_log().path == tmp_path / "here.jsonl"


def test_tests_write_to_no_home():
    assert not audit_log().path.is_relative_to(Path.home())


@pytest.mark.parametrize("junk", [b"[" * 200_000, b"9" * 5_000, b"\xff\x00"])
def test_no_line_stops_who_logs_or_verifies(log, junk):
    filled(log, 2)
    log.path.write_bytes(log.path.read_bytes() + junk + b"\n")
    assert verify(log.path).fault.line == 3
    assert log.append("test") == 4
    assert verify(log.path).torn == (3,)


@pytest.mark.parametrize("name", ["/", ".", "~no-such-user-here/audit.jsonl"])
def test_a_name_that_is_no_file_s_is_a_typed_error(name, monkeypatch):
    monkeypatch.setenv("IIKEA_AUDIT_LOG", name)
    with pytest.raises(AuditError, match="IIKEA_AUDIT_LOG"):
        audit_log()


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch):
    for variable in ("IIKEA_AUDIT_LOG", "XDG_STATE_HOME", "HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    with pytest.raises(AuditError, match="IIKEA_AUDIT_LOG"):
        audit_log()


def no_home() -> Path:
    raise RuntimeError("Could not determine home directory.")


def test_a_line_is_appended_without_reading_those_before(log, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)
    filled(log, 1_000)
    read: list[int] = []
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda *asked: read.append(asked[1]) or pread(*asked))
    log.append("test")
    assert sum(read) < log.path.stat().st_size / 2


def test_a_line_of_any_length_is_followed(log):
    for words in (10, 5_000, 100_000, 10):
        log.append("test", word="x" * words)
    assert [entry["line"] for entry in entries(log)] == [1, 2, 3, 4]
    assert verify(log.path).fault is None


def test_each_line_names_who_wrote_it(log, monkeypatch):
    for user in ("ford", "arthur", "ford"):
        monkeypatch.setenv("LOGNAME", user)
        log.append("test")
    assert [entry["user"] for entry in entries(log)] == ["ford", "arthur", "ford"]


def test_a_salt_that_was_lost_is_made_anew_and_the_log_says_so(log):
    before = log.pseudonym("patient", "P0001")
    log.append("test")
    assert len(lines(log)) == 1
    log.salt.unlink()
    assert log.pseudonym("patient", "P0001") != before
    assert [entry["event"] for entry in entries(log)] == ["test", "salt made"]
    assert verify(log.path).fault is None
