import subprocess
import sys
from pathlib import Path

import pytest

from tools.records.concepts import headings
from tools.records.concepts.codes import ICD9CM, ICD10CM, category
from tools.records.concepts.names import icd9_leaves, name


@pytest.mark.parametrize(
    ("system", "code", "display", "expected"),
    [
        (ICD9CM, "4019", "high  blood pressure ", ("high blood pressure", "record")),
        (ICD9CM, "4019", " ", ("Unspecified essential hypertension", "leaf")),
        (ICD9CM, "250", None, ("Diabetes mellitus", "heading")),
        (ICD9CM, "2504", None, ("Diabetes with renal manifestations", "heading")),
        (ICD9CM, "5850", None, ("Chronic kidney disease (heading)", "ancestor")),
        (ICD9CM, "E8089", None, ("unlisted", "unlisted")),
        (ICD9CM, "000", None, ("unlisted", "unlisted")),
        ("SNOMED", "44054006", None, ("unlisted", "unlisted")),
    ],
)
def test_the_chain_takes_the_first_source_that_knows(system, code, display, expected):
    assert name(system, code, display) == expected


def test_icd10_names_come_from_its_tree():
    assert name(ICD10CM, "E119") == ("Type 2 diabetes mellitus without complications", "leaf")
    assert name(ICD10CM, "I50") == ("Heart failure", "heading")
    assert name(ICD10CM, "E1199")[1] == "ancestor"
    assert name(ICD10CM, "E") == ("unlisted", "unlisted")


def test_every_published_code_has_a_named_category():
    assert {name(ICD9CM, category(ICD9CM, code))[1] for code in icd9_leaves()} == {"leaf", "heading"}


def test_every_prefix_of_a_published_code_is_named():
    prefixes = {
        code[:length]
        for code in icd9_leaves()
        for length in range(len(category(ICD9CM, code)), len(code) + 1)
    }
    assert all(name(ICD9CM, prefix)[1] != "unlisted" for prefix in prefixes)


def test_the_heading_table_is_what_its_script_writes():
    table = Path(headings.__file__).with_name("icd9_headings.csv")
    assert table.read_text(encoding="utf-8") == headings.table()


def test_headings_are_no_leaves_and_end_as_phrases():
    titles = headings.subcategories(icd9_leaves())
    assert not titles.keys() & icd9_leaves().keys()
    loose_ends = (" ", ",", " of", " and", " with", " type")
    assert not [title for title in titles.values() if title.endswith(loose_ends)]


def test_importing_the_chain_loads_no_table():
    probe = "import sys, tools.records.concepts.names; assert 'simple_icd_10_cm' not in sys.modules"
    subprocess.run([sys.executable, "-c", probe], check=True, cwd=Path(__file__).parents[3])
