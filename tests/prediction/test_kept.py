"""The model kept with a store: the same forecasts without learning, and learned again where it must be."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tools import resources
from tools.causal.dag import CausalGraph
from tools.dataset.clinical import ClinicalDataset
from tools.prediction import hazards, kept
from tools.prediction.forecast import NextVisitModel
from tools.prediction.kept import NAME, open_or_learn
from tools.records.simulate import simulate


def saved(folder, seed=4):
    ClinicalDataset.build(simulate(300, seed=seed).cohort).save(folder)
    return ClinicalDataset.open(folder)


def forecasts(model):
    nodes = model.vocabulary.keys[:12]
    return model.forecasts(CausalGraph(nodes), [nodes[:4], nodes[2:6]])


@pytest.fixture
def learned(monkeypatch):
    """How often a model was learned."""
    fits = []
    fit = NextVisitModel.fit
    monkeypatch.setattr(NextVisitModel, "fit", lambda dataset: fits.append(dataset) or fit(dataset))
    return fits


def test_a_model_is_learned_once_and_read_after_that(tmp_path, learned):
    first = open_or_learn(saved(tmp_path / "store"), tmp_path / "store")
    again = open_or_learn(ClinicalDataset.open(tmp_path / "store"), tmp_path / "store")
    assert len(learned) == 1
    assert forecasts(first) == forecasts(again)
    modes = {(tmp_path / "store" / name).stat().st_mode for name in (NAME, "manifest.json")}
    assert len(modes) == 1


def test_threads_that_ask_at_once_learn_once(tmp_path, learned):
    saved(tmp_path / "store")
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(resources.open_next_visit_model, [str(tmp_path / "store")] * 4))
    assert len({id(model) for model in found}) == len(learned) == 1


def test_tools_read_what_is_kept(tmp_path, learned):
    saved(tmp_path / "store")
    first = resources.open_next_visit_model(str(tmp_path / "store"))
    assert resources.open_next_visit_model(str(tmp_path / "store")) is first
    assert (tmp_path / "store" / NAME).exists()
    assert len(learned) == 1


def cut(path):
    path.write_bytes(path.read_bytes()[:-200])


def turned(place):
    def turn(path):
        content = bytearray(path.read_bytes())
        content[place] ^= 1
        path.write_bytes(content)

    return turn


def empty(path):
    path.write_bytes(b"")


def another(path):
    with path.open("wb") as file:
        np.savez(file, base=np.ones(3))


def a_single_array(path):
    with path.open("wb") as file:
        np.save(file, np.ones(3))


def pickled(path):
    with path.open("wb") as file:
        np.save(file, np.array([{}], dtype=object))


DAMAGES = [cut, empty, another, a_single_array, pickled, *map(turned, (0, 31, 32, 40, 60, 200, 5_000, -1))]


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_is_learned_again(tmp_path, learned, damage):
    data = saved(tmp_path / "store")
    first = open_or_learn(data, tmp_path / "store")
    damage(tmp_path / "store" / NAME)
    assert forecasts(open_or_learn(data, tmp_path / "store")) == forecasts(first)
    assert len(learned) == 2
    open_or_learn(data, tmp_path / "store")
    assert len(learned) == 2


def test_another_store_constant_or_version_is_another_model(tmp_path, learned, monkeypatch):
    open_or_learn(saved(tmp_path / "one"), tmp_path / "one")
    other = saved(tmp_path / "two", seed=5)
    (tmp_path / "two" / NAME).write_bytes((tmp_path / "one" / NAME).read_bytes())
    open_or_learn(other, tmp_path / "two")
    assert len(learned) == 2
    monkeypatch.setattr(hazards, "PSEUDO_VISITS", 70.0)
    open_or_learn(other, tmp_path / "two")
    assert len(learned) == 3
    monkeypatch.setattr(kept, "MODEL_VERSION", 999)
    open_or_learn(other, tmp_path / "two")
    assert len(learned) == 4


def test_a_store_that_cannot_be_written_to_is_learned_from(tmp_path, learned, monkeypatch):
    data = saved(tmp_path / "store")
    first = open_or_learn(data, tmp_path / "store")
    (tmp_path / "store" / NAME).unlink()

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tools.prediction.kept.write_whole", refuse)
    assert forecasts(open_or_learn(data, tmp_path / "store")) == forecasts(first)
    assert not (tmp_path / "store" / NAME).exists()


def test_fitting_a_store_again_takes_the_old_model_away(tmp_path):
    data = saved(tmp_path / "store")
    open_or_learn(data, tmp_path / "store")
    saved(tmp_path / "store", seed=5)
    assert not (tmp_path / "store" / NAME).exists()
