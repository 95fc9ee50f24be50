"""Coarser and smaller vocabularies: codes rolled up to headings, and the codes of some patients."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from tools.numerics.runs import offsets, ranges
from tools.records.build import distinct
from tools.records.cohort import Cohort, ConceptColumns, IntArray, Vocabulary
from tools.records.concepts.codes import category, has_shapes
from tools.records.concepts.names import name
from tools.safety.errors import InputError

Pair = tuple[str, str]


def to_categories(cohort: Cohort) -> Cohort:
    """The cohort with each ICD code replaced by the heading it stands under (`concepts.codes.category`).

    Three characters (`250.00` is 250, `V58.61` is V58, `I50.9` is I50), four for ICD-9 E codes (`E849.0` is
    E849). A heading that a visit has several codes of stands in it once.

    Raises:
        InputError: the records hold codes of another system than ICD-9-CM and ICD-10-CM.
    """
    whole = cohort.vocabulary
    if any(not has_shapes(system) for system in whole.systems):
        rule = "only ICD-9-CM and ICD-10-CM have three-character headings; use the vocabulary 'full'"
        raise InputError("vocabulary", rule)
    pairs = zip(whole.columns.system, whole.columns.code, strict=True)
    return replaced(cohort, [((system, category(system, code)),) for system, code in pairs])


def training_cohort(cohort: Cohort, rows: npt.ArrayLike) -> Cohort:
    """Some patients, with a vocabulary of the codes that they have and no others.

    Args:
        cohort: with the whole vocabulary.
        rows: patients, ascending.
    """
    part = cohort.subset(rows)
    used = np.zeros(len(part.vocabulary), dtype=np.bool_)
    used[part.codes] = True
    kept = np.flatnonzero(used)
    whole = part.vocabulary.columns
    vocabulary = Vocabulary.of_columns(
        ConceptColumns(
            system=tuple(whole.system[k] for k in kept),
            code=tuple(whole.code[k] for k in kept),
            display=tuple(whole.display[k] for k in kept),
            named_by=tuple(whole.named_by[k] for k in kept),
        )
    )
    return part.model_copy(update={"vocabulary": vocabulary, "codes": (np.cumsum(used) - 1)[part.codes]})


def columns_within(part: Vocabulary, whole: Vocabulary) -> IntArray:
    """Where each concept of a smaller vocabulary stands in a larger one, shape (len(part),), ascending.

    By system and code, not by key: the key of a code that two systems share names its system, and only there.

    Raises:
        InputError: a concept of the smaller one is not in the larger.
    """
    places = {
        pair: place for place, pair in enumerate(zip(whole.columns.system, whole.columns.code, strict=True))
    }
    pairs = zip(part.columns.system, part.columns.code, strict=True)
    try:
        return np.array([places[pair] for pair in pairs], dtype=np.int64)
    except KeyError:
        raise InputError(
            "vocabulary", "a code of the one is not in the other; take both from one cohort"
        ) from None


def replaced(cohort: Cohort, targets: Sequence[tuple[Pair, ...]]) -> Cohort:
    """The cohort with each concept replaced by one or several, each of which stands in a visit once.

    Args:
        cohort: the records.
        targets: for each column of its vocabulary, (system, code) pairs. Those that were in the vocabulary
            keep their names, new ones have those of published tables.
    """
    vocabulary = _named({pair for pairs in targets for pair in pairs}, cohort.vocabulary)
    pairs = zip(vocabulary.columns.system, vocabulary.columns.code, strict=True)
    places = {pair: column for column, pair in enumerate(pairs)}
    bounds = offsets(np.array([len(pairs) for pairs in targets], dtype=np.int64))
    columns = np.array([places[pair] for pairs in targets for pair in pairs], dtype=np.int64)
    entry_visits = np.repeat(np.arange(cohort.n_visits), np.diff(cohort.code_offsets))
    visits = np.repeat(entry_visits, np.diff(bounds)[cohort.codes])
    width = max(len(vocabulary), 1)
    found = distinct(visits * width + columns[ranges(bounds, cohort.codes)])
    sizes = np.bincount(found // width, minlength=cohort.n_visits)
    changed = {"vocabulary": vocabulary, "codes": found % width, "code_offsets": offsets(sizes)}
    return cohort.model_copy(update=changed)


def _named(pairs: Iterable[Pair], before: Vocabulary) -> Vocabulary:
    columns, in_order = before.columns, sorted(pairs)
    names = zip(columns.display, columns.named_by, strict=True)
    old = dict(zip(zip(columns.system, columns.code, strict=True), names, strict=True))
    named = [old.get(pair) or name(*pair) for pair in in_order]
    return Vocabulary.of_columns(
        ConceptColumns(
            system=tuple(system for system, _ in in_order),
            code=tuple(code for _, code in in_order),
            display=tuple(display for display, _ in named),
            named_by=tuple(source for _, source in named),
        )
    )
