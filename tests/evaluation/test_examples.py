import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluation.small_cohorts import cohort_of, multi_visit
from tools.evaluation.examples import examples
from tools.safety.errors import InputError


def keys_of_rows(cohort, matrix):
    dense = matrix.toarray()
    assert dense.dtype == bool
    return [{cohort.vocabulary.keys[c] for c in row.nonzero()[0]} for row in dense]


@given(multi_visit, st.data())
def test_the_last_visit_is_the_target_and_the_others_are_the_history(patients, data):
    cohort = cohort_of(patients)
    rows = data.draw(st.permutations(range(len(patients))))
    chosen = [patients[row] for row in rows]
    made = examples(cohort, rows)
    assert (len(made), made.n_codes) == (len(patients), len(cohort.vocabulary))
    assert made.rows.tolist() == rows
    columns = [[tuple(sorted(map(cohort.vocabulary.column, v))) for v in p[:-1]] for p in chosen]
    assert [list(visits) for visits in made.history] == columns
    assert keys_of_rows(cohort, made.target) == [set(p[-1]) for p in chosen]
    assert keys_of_rows(cohort, made.known) == [set().union(*p[:-1]) for p in chosen]
    assert keys_of_rows(cohort, made.latest) == [set(p[-2]) for p in chosen]
    assert keys_of_rows(cohort, made.repeats) == [set(p[-1]) & set().union(*p[:-1]) for p in chosen]


@given(multi_visit, st.integers(0, 9), st.integers(0, 9))
def test_a_part_is_what_its_patients_alone_would_be(patients, begin, end):
    cohort = cohort_of(patients)
    part = examples(cohort, range(len(patients))).part(slice(begin, end))
    alone = examples(cohort, range(len(patients))[begin:end])
    assert (part.rows.tolist(), part.history) == (alone.rows.tolist(), alone.history)
    for name in ("target", "repeats", "known", "latest"):
        assert (getattr(part, name).toarray() == getattr(alone, name).toarray()).all()


def test_a_single_visit_is_nothing_to_predict_from():
    cohort = cohort_of([[{"4019"}, {"486"}], [{"4019"}]])
    with pytest.raises(InputError, match="single visit"):
        examples(cohort, [0, 1])
