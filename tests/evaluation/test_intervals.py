import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluation.answers import cohorts, rankings, simulated, target
from tools.evaluation import intervals as module
from tools.evaluation.intervals import (
    Resampling,
    Sample,
    distributions,
    estimate,
    intervals,
    paired_difference,
    percentiles,
)
from tools.evaluation.metrics import recall, w_f1
from tools.evaluation.statistic import mean
from tools.safety.errors import InputError


@given(cohorts, st.integers(0, 5), st.data())
def test_a_resample_is_the_metric_of_the_patients_listed_as_often_in_every_test_set(people, seed, data):
    n = len(people)
    sets = data.draw(st.lists(st.sets(st.integers(0, n - 1), min_size=1), min_size=1, max_size=3))
    sets = [sorted(rows) for rows in sets]
    resampling = Resampling(np.concatenate(sets), resamples=4, seed=seed)
    for metric in (w_f1, lambda r, t: recall(r, t, 3)):
        samples = []
        for rows in sets:
            some = [people[row] for row in rows]
            samples.append(Sample(np.array(rows), metric(rankings(some), target(some))))
        drawn = np.concatenate(list(resampling.blocks()))
        for value, times in zip(distributions({"m": samples}, resampling)["m"], drawn, strict=True):
            often = dict(zip(resampling.rows.tolist(), times.astype(int).tolist(), strict=True))
            listed = [[people[row] for row in rows for _ in range(often[row])] for rows in sets]
            each = [metric(rankings(some), target(some)).value() for some in listed if some]
            each = [one for one in each if not np.isnan(one)]
            assert value == pytest.approx(np.mean(each) if each else np.nan, nan_ok=True)


def test_every_resample_draws_as_many_patients_as_there_are_in_bounded_blocks(monkeypatch):
    monkeypatch.setattr(module, "_ENTRIES_AT_ONCE", 250)
    blocks = list(Resampling([3, 5, 5, 40, *range(100, 130)], resamples=20).blocks())
    assert {block.shape[1] for block in blocks} == {33}
    assert max(block.size for block in blocks) <= 250
    drawn = np.concatenate(blocks)
    assert len(drawn) == 20
    assert (drawn.sum(axis=1) == 33).all()
    assert len(np.unique(drawn, axis=0)) == 20


def test_the_same_seed_gives_the_same_resamples_and_another_others():
    rows = np.arange(50)
    first, again, other = (np.concatenate(list(Resampling(rows, 30, seed).blocks())) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_the_interval_of_a_mean_is_that_of_its_standard_error():
    x = np.random.default_rng(0).normal(5, 2, 400)
    sample = [Sample(np.arange(400), mean(x, np.ones(400)))]
    found = intervals({"x": sample}, Resampling(np.arange(400), 4_000))["x"]
    reach = 1.96 * x.std() / 20
    assert found == pytest.approx((x.mean(), x.mean() - reach, x.mean() + reach), abs=0.03)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(4)
    covered = 0
    for seed in range(200):
        y = rng.random(150) < 0.3
        sample = [Sample(np.arange(150), mean(y, np.ones(150)))]
        found = intervals({"y": sample}, Resampling(np.arange(150), 300, seed))["y"]
        covered += found.low <= 0.3 <= found.high
    assert 0.89 <= covered / 200 <= 0.99


def test_the_same_test_set_twice_tells_nothing_more():
    found, truth = simulated(np.random.default_rng(5), 200)
    sample, resampling = Sample(truth.rows, w_f1(found, truth.target)), Resampling(truth.rows, 100)
    once = intervals({"m": [sample]}, resampling)["m"]
    assert intervals({"m": [sample] * 3}, resampling)["m"] == pytest.approx(once)


def test_what_two_methods_share_leaves_their_difference():
    rng = np.random.default_rng(6)
    shared, n = rng.normal(0, 5, 300), np.ones(300)
    rows, resampling = np.arange(300), Resampling(np.arange(300), 500)
    better = [Sample(rows, mean(shared + 0.5, n))]
    worse = [Sample(rows, mean(shared + rng.normal(0, 0.1, 300), n))]
    found = paired_difference(better, worse, resampling)
    alone = intervals({"better": better}, resampling)["better"]
    assert found.estimate == pytest.approx(estimate(better) - estimate(worse))
    assert 0.45 < found.low < found.high < 0.55
    assert alone.high - alone.low > 10 * (found.high - found.low)
    assert paired_difference(better, better, resampling) == (0, 0, 0)


def test_resamples_without_a_value_are_left_out():
    assert percentiles(np.array([np.nan, 1.0, np.nan])) == (1.0, 1.0)
    assert np.isnan(percentiles(np.array([np.nan]))).all()


def test_patients_that_are_not_resampled_are_refused():
    sample = Sample(np.array([1, 2]), mean([1, 2], [1, 1]))
    for rows in ([1], [2], [0, 1, 3]):
        with pytest.raises(InputError, match="not resampled"):
            distributions({"m": [sample]}, Resampling(rows, 5))
    for rows, resamples in (([], 5), ([1], 0)):
        with pytest.raises(InputError, match="at least one"):
            Resampling(rows, resamples)
