"""`iikea knowledge`: documents in, passages out, and what happens to those who are killed or come second."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app import console
from tests.fakes.wiki_server import Article, WikiServer
from tests.knowledge import makers
from tests.knowledge.samples import DEMO, ROOT, markdown, said, write
from tools.knowledge.library import KnowledgeLibrary
from tools.knowledge.manifest import read_states

COMMANDS = ("add", "note", "fetch", "list", "search", "show", "retire", "rebuild", "verify")


def _process(*arguments: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "app.main", "knowledge", *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True, env=os.environ | {"COLUMNS": "200"}
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(iikea, command):
    ended = iikea("knowledge", command, "--help")
    assert ended.code == 0
    assert "--library" in ended.out


def test_documents_and_notes_come_in_and_are_found(iikea, tmp_path):
    given = write(tmp_path / "given", gout=said("Gout hurts in the night."))
    (given / "leaflet.html").write_text(
        "<html><title>Stroke</title><body><h1>Stroke</h1><p>Stroke comes suddenly.</p></body></html>"
    )
    (given / "plain.txt").write_text("Obesity leads to sleep apnea.\n")
    (given / "paper.pdf").write_bytes(
        makers.pdf(["Page one of hypertension.", "Page two: hypertension leads to stroke."])
    )
    added = iikea("knowledge", "add", given, "--library", tmp_path / "a", "--licence", "MIT", "--json").json
    assert {one["doc_id"]: one["state"] for one in added["documents"]} == dict.fromkeys(
        ("gout", "leaflet", "plain", "paper"), "added"
    )
    note = iikea("knowledge", "note", "In our clinic gout is treated first.", "--library", tmp_path / "a")
    assert (note.code, "added" in note.out) == (0, True)
    found = iikea(
        "knowledge", "search", "page two hypertension stroke", "--library", tmp_path / "a", "--json"
    ).json
    best = found["passages"][0]
    assert (best["doc_id"], best["page"], best["document"]["licence"]) == ("paper", 2, "MIT")
    assert found["retrieval"] == ["words (BM25)"]
    shown = iikea("knowledge", "show", best["id"], "--library", tmp_path / "a", "--json").json
    assert {key: shown[key] for key in ("id", "text", "page")} == {
        key: best[key] for key in ("id", "text", "page")
    }
    listed = iikea("knowledge", "list", "--library", tmp_path / "a", "--json").json[0]
    assert len(listed["documents"]) == 5
    assert all(one["retrieved"] for one in listed["documents"])


def test_what_cannot_be_read_is_named_and_the_rest_is_added(iikea, tmp_path, monkeypatch):
    monkeypatch.setattr(console.out, "width", 500)
    given = write(tmp_path / "given", good=said("Gout."))
    (given / "bad.pdf").write_bytes(b"no pdf at all")
    ended = iikea("knowledge", "add", given, "--library", tmp_path / "a")
    assert ended.code == 2
    assert re.search(r"refused.*bad\.pdf.*not a PDF", ended.out)
    assert [entry.id for entry in read_states(tmp_path / "a")] == ["good"]


def test_a_damaged_index_is_said_once_and_not_of_every_document(iikea, tmp_path):
    given = write(tmp_path / "given", **{f"d{i}": said(f"Disease {i}.") for i in range(3)})
    assert iikea("knowledge", "add", given, "--library", tmp_path / "a").code == 0
    for path in (tmp_path / "a" / "index" / "1" / "chroma").glob("*.sqlite3"):
        os.truncate(path, 100)
    more = write(tmp_path / "more", **{f"e{i}": said(f"Other disease {i}.") for i in range(3)})
    ended = iikea("knowledge", "add", more, "--library", tmp_path / "a")
    assert ended.code == 2
    assert "rebuild" in ended.err.replace("\n", " ")
    assert "refused" not in ended.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("add", "nowhere.md"),
        ("note", "two\nlines"),
        ("note", "a note", "--expires", "soon"),
        ("note", "a note", "--about", "heart failure"),
        ("fetch", "anybody", "Gout", "--contact", "me@example.org"),
    ],
)
def test_what_is_wrong_is_said_with_exit_code_2(iikea, tmp_path, arguments):
    ended = iikea("knowledge", *arguments, "--library", tmp_path / "a", "--json")
    assert ended.code == 2
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("arguments", [("search", "gout"), ("list",), ("show", "gout"), ("verify",)])
def test_a_library_that_is_not_there_is_refused(iikea, tmp_path, arguments):
    ended = iikea("knowledge", *arguments, "--library", tmp_path / "nowhere")
    assert ended.code == 2
    assert not (tmp_path / "nowhere").exists()


def test_the_demo_library_is_searched_when_none_is_named(iikea):
    ended = iikea("knowledge", "search", "what does gout lead to", "-k", 1)
    assert ended.code == 0
    assert "II-KEA demo library" in ended.out
    assert "Searched by words (BM25)" in ended.out
    assert iikea("knowledge", "verify", "--library", DEMO).code == 0


def test_rebuilding_with_another_retrieval_is_said_everywhere(iikea, tmp_path):
    given = write(tmp_path / "given", gout=said("Gout hurts."))
    iikea("knowledge", "add", given, "--library", tmp_path / "a")
    ended = iikea("knowledge", "rebuild", "--library", tmp_path / "a", "--retrieval", "hybrid", "--json").json
    assert "BM25" in ended["retrieval"]
    assert "vectors" in ended["retrieval"]
    assert iikea("knowledge", "rebuild", "--library", tmp_path / "a", "--retrieval", "magic").code == 2
    assert KnowledgeLibrary(tmp_path / "a").retrieval == "hybrid"


def test_articles_are_fetched_with_revision_licence_and_attribution(iikea, tmp_path, monkeypatch):
    articles = {"Gout": Article("Gout is painful.\n\n== Causes ==\nObesity leads to gout.", revid=77)}
    with WikiServer(articles) as wiki:
        monkeypatch.setenv("IIKEA_KNOWLEDGE_HOSTS", wiki.host)
        asked = ("knowledge", "fetch", "wikipedia", "Gout", "--api", wiki.api, "--library", tmp_path / "a")
        without = iikea(*asked)
        assert (without.code, wiki.requests) == (2, [])
        added = iikea(*asked, "--contact", "someone@example.org", "--json").json
        again = iikea(*asked, "--contact", "someone@example.org", "--json").json
        missing = iikea(*asked[:3], "Gout", "Nothing", *asked[4:], "--contact", "someone@example.org")
    assert [one["state"] for one in (*added["documents"], *again["documents"])] == ["added", "unchanged"]
    (entry,) = read_states(tmp_path / "a")
    assert (entry.title, entry.revision, entry.licence) == ("Gout", "77", "CC-BY-SA-4.0")
    assert "oldid=77" in entry.url
    assert missing.code == 2
    assert [p.section for p in KnowledgeLibrary(tmp_path / "a").passages.values()] == ["", "Causes"]


def test_a_host_that_nobody_named_is_not_asked(iikea, tmp_path):
    with WikiServer({"Gout": Article("Gout is painful.")}) as wiki:
        asked = ("knowledge", "fetch", "wikipedia", "Gout", "--api", wiki.api, "--library", tmp_path / "a")
        ended = iikea(*asked, "--contact", "someone@example.org")
        assert (ended.code, wiki.requests) == (2, [])


def test_topics_on_this_machine_need_no_contact_and_no_network(iikea, tmp_path):
    (tmp_path / "topics.xml").write_text(
        '<health-topics><health-topic title="Gout" id="5" language="English" url="https://medlineplus.gov/gout.html">'
        "<also-called>Podagra</also-called><full-summary>&lt;p&gt;Gout hurts.&lt;/p&gt;</full-summary>"
        "</health-topic></health-topics>"
    )
    asked = ("knowledge", "fetch", "medlineplus", "gout", "--topics", tmp_path / "topics.xml")
    assert iikea(*asked, "--library", tmp_path / "a").code == 0
    (entry,) = read_states(tmp_path / "a")
    assert entry.aliases == ("podagra",)
    assert "Public domain" in entry.licence


def test_retiring_lists_the_results_that_cited_the_document(iikea, tmp_path):
    results, library = tmp_path / "results", tmp_path / "a"
    heart = markdown(
        ("Causes", "Congestive heart failure is caused by essential hypertension."),
        title='"Congestive heart failure"',
        codes='["428"]',
        aliases='["heart failure"]',
    )
    pressure = markdown(
        ("Overview", "Pressure."),
        title='"Essential hypertension"',
        codes='["401"]',
        aliases='["high pressure"]',
    )
    given = write(tmp_path / "given", heart=heart, gout=said("Gout hurts."), pressure=pressure)
    assert iikea("knowledge", "add", given, "--library", library, "--trusted").code == 0
    asked = ("predict", "--history", "401.9 272.4; 585.9", "--library", library, "--resamples", 0)
    predicted = iikea(*asked, "--results", results, "--json").json
    cited = {finding["passage"] for finding in predicted["knowledge"]["findings"]}
    assert {key.partition("#")[0] for key in cited} == {"heart"}
    (stored,) = results.iterdir()
    assert stored.stat().st_mode & 0o077 == 0
    assert json.loads(stored.read_text()) == predicted
    told = ("--library", library, "--because", "wrong", "--results", results, "--json")
    retired = iikea("knowledge", "retire", "heart", *told).json
    assert retired["cited_by"] == [{"result": str(stored), "passages": sorted(cited)}]
    again = iikea(*asked, "--json").json
    assert again["knowledge"]["findings"] == []
    other = iikea("knowledge", "retire", "gout", *told).json
    assert other["cited_by"] == []
    shown = iikea("knowledge", "show", next(iter(cited)), "--library", library, "--json").json
    assert shown["standing"] == "retired"


def test_results_that_cited_a_document_of_the_same_name_elsewhere_are_not_listed(iikea, tmp_path):
    results, library = tmp_path / "results", tmp_path / "a"
    given = write(tmp_path / "given", gout=said("Gout is painful."))
    (given / "gout.md").rename(given / "essential-hypertension.md")
    assert iikea("knowledge", "add", given, "--library", library).code == 0
    asked = (
        "predict",
        "--history",
        "401.9 250.00; 428.0 585.9",
        "--resamples",
        0,
        "--results",
        results,
        "--json",
    )
    cited = {finding["passage"].partition("#")[0] for finding in iikea(*asked).json["knowledge"]["findings"]}
    assert "essential-hypertension" in cited
    told = (
        "essential-hypertension",
        "--library",
        library,
        "--because",
        "wrong",
        "--results",
        results,
        "--json",
    )
    assert iikea("knowledge", "retire", *told).json["cited_by"] == []


def test_k3_a_page_of_an_own_pdf_is_cited_and_shown(iikea, tmp_path):
    library = tmp_path / "a"
    pages = ["A title page.", "Congestive heart failure is caused by hypertension and diabetes."]
    (tmp_path / "heart.pdf").write_bytes(makers.pdf(pages))
    added = iikea("knowledge", "add", tmp_path / "heart.pdf", "--library", library, "--about", "428")
    assert added.code == 0
    asked = ("predict", "--history", "401.9 250.00; 585.9", "--resamples", 0, "--library", library, "--json")
    result = iikea(*asked).json
    evidence = {key for one in (*result["predictions"], *result["graph"]["edges"]) for key in one["evidence"]}
    assert evidence
    for key in evidence:
        shown = iikea("knowledge", "show", key, "--library", library, "--json").json
        assert (shown["page"], shown["doc_id"]) == (2, "heart")
        assert shown["text"] == pages[1]
    quotes = {finding["quote"] for finding in result["knowledge"]["findings"]}
    assert quotes == {pages[1]}


def test_k3_every_evidence_id_of_a_prediction_is_shown_word_for_word(iikea):
    result = iikea("predict", "--history", "401.9 250.00; 428.0 585.9", "--resamples", 0, "--json").json
    quotes = {}
    for finding in result["knowledge"]["findings"]:
        quotes.setdefault(finding["passage"], []).append(finding["quote"])
    evidence = {key for one in (*result["predictions"], *result["graph"]["edges"]) for key in one["evidence"]}
    assert evidence
    for key in evidence:
        shown = iikea("knowledge", "show", key, "--json").json
        assert shown["id"] == key
        assert shown["end"] - shown["start"] == len(shown["text"])
        assert quotes[key]
        assert all(" ".join(quote.split()) in " ".join(shown["text"].split()) for quote in quotes[key])
        assert shown["document"]["licence"] == "CC0-1.0"


def test_k2_a_big_addition_that_is_killed_goes_on_where_it_stopped(tmp_path):
    given = write(
        tmp_path / "given",
        **{f"d{i:03}": said(f"Disease number {i} leads to gout.", f"D{i}") for i in range(500)},
    )
    pages = [f"This is page {i} of the book and tells of symptom{i}." for i in range(1, 201)]
    (given / "book.pdf").write_bytes(makers.pdf(pages))
    library = tmp_path / "a"
    arguments = ("add", given, "--library", library, "--json")
    killed = _process(*arguments)
    while len(_states(library)) < 250:
        assert killed.poll() is None, killed.communicate()
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    there = len(_states(library))
    out, err = _process(*arguments).communicate(timeout=300)
    states = [one["state"] for one in json.loads(out)["documents"]]
    assert (states.count("unchanged"), states.count("added")) == (there, 501 - there), err
    noted = _process("note", "In our clinic gout comes first.", "--library", library)
    assert noted.wait(120) == 0
    opened = KnowledgeLibrary(library)
    assert len(read_states(library)) == len(opened.entries) == 502
    assert len(opened.passages) == 701
    for i in range(0, 500, 7):
        assert opened.search(f"disease number {i}", 1)[0].passage.doc_id == f"d{i:03}"
    for i in range(1, 201, 9):
        assert opened.search(f"symptom{i}", 1)[0].passage.page == i
    assert _process("verify", "--library", library).wait(120) == 0


def _states(library: Path) -> tuple[object, ...]:
    return read_states(library) if (library / "documents.jsonl").exists() else ()


def test_k2_progress_is_shown_on_a_terminal(tmp_path):
    given = write(tmp_path / "given", **{f"d{i}": said(f"Disease number {i}.", f"D{i}") for i in range(20)})
    import pty

    leader, follower = pty.openpty()
    command = [
        sys.executable,
        "-m",
        "app.main",
        "knowledge",
        "add",
        str(given),
        "--library",
        str(tmp_path / "a"),
    ]
    run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=follower)
    os.close(follower)
    shown = b""
    while True:
        try:
            piece = os.read(leader, 65_536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    assert run.wait(60) == 0
    assert re.search(rb"\d+/20", shown), shown[-500:]
    assert b"adding d" in shown


def test_k5_two_processes_that_add_at_once_lose_nothing(tmp_path):
    library = tmp_path / "a"
    processes = []
    for name in ("x", "y"):
        texts = {
            f"{name}{i:02}": said(f"Only {name}{i:02}word is told here.", f"{name}{i}") for i in range(60)
        }
        processes.append(_process("add", write(tmp_path / name, **texts), "--library", library))
    ends = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], ends
    opened = KnowledgeLibrary(library)
    assert len(opened.passages) == len(read_states(library)) == 120
    for name in ("x", "y"):
        for i in range(60):
            for retrieval in ("lexical", "dense"):
                found = opened.search(f"{name}{i:02}word", 1, retrieval)
                assert found[0].passage.doc_id == f"{name}{i:02}"


def test_k5_who_will_not_wait_is_told_who_writes(tmp_path, iikea):
    from tools.knowledge.lock import writing

    given = write(tmp_path / "given", gout=said("Gout."))
    assert iikea("knowledge", "add", given, "--library", tmp_path / "a").code == 0
    with writing(tmp_path / "a"):
        ended = iikea("knowledge", "note", "Gout hurts.", "--library", tmp_path / "a", "--wait", 0)
    assert ended.code == 2
    assert f"process {os.getpid()} is writing" in ended.err.replace("\n", " ")
    assert len(read_states(tmp_path / "a")) == 1


def test_k6_the_graph_runs_without_knowledge_and_without_causal_discovery(iikea):
    asked = ("predict", "--history", "401.9 250.00; 428.0", "--resamples", 0, "--json")
    for ablation in (
        ("--without-knowledge",),
        ("--without-causal",),
        ("--without-knowledge", "--without-causal"),
    ):
        result = iikea(*asked, *ablation).json
        assert len(result["predictions"]) == 10
        assert (result["knowledge"] is None) == ("--without-knowledge" in ablation)
        assert (result["graph"]["edges"] == []) == ("--without-causal" in ablation)
