"""FAULTS C8 and C9: an operator holds no code and no future, and copying what is masked gains nothing."""

import json
import random
import string

import numpy as np
import pytest

from agents.answers import Recipes, Unreadable, read
from agents.imputation import imputation_case, propose_operators
from agents.model import Inadmissible
from agents.settings import Settings
from tests.fakes.mind import Mind
from tests.fakes.replies import text, tool_call
from tests.treatment.panels import OPERATORS, VARIABLES, each, known, panel, recipe, simulated
from tools.safety.errors import InputError, ModelOutputError
from tools.treatment.admission import admit
from tools.treatment.fitness import Trials
from tools.treatment.imputing import impute
from tools.treatment.mechanism import Mechanism
from tools.treatment.operators import MAX_NODES, nodes
from tools.treatment.panel import Panel, Variable

PANEL = panel(n_patients=10, n_steps=5)
CODE = (
    "__import__('os').system('id')",
    "lambda x: x",
    "exec('1')",
    "${7*7}",
    "{{ config }}",
    "'; DROP TABLE patients; --",
    "../../etc/passwd",
    "weight[t+1]",
    "df.loc[mask]",
    "\x00\x1b[31m",
    "weight.__class__.__mro__",
)
ATTRIBUTES = ("__class__", "__init__", "__reduce__", "__globals__", "model_config", "eval", "code", "path")
NUMBERS = (
    -1,
    -0.0,
    1e308,
    -1e308,
    1e-320,
    10**400,
    float("nan"),
    float("inf"),
    2**63,
    True,
    None,
    "1",
    [1],
    {},
)
MISSPELT = ("weigth", "Weight", "weight ", "", "x" * 10_000, *ATTRIBUTES, *CODE)


class Fuzz:
    """Draws documents near the grammar, most of them with something that it must not hold."""

    def __init__(self, seed):
        self.rng = random.Random(seed)

    def document(self):
        rng = self.rng
        rules = [self.rule() for _ in range(rng.choice([0, 2, 70]) if rng.random() < 0.02 else 1)]
        whole = {"recipes": [{"recipe": {"rules": rules}, "because": rng.choice(CODE)}]}
        if rng.random() < 0.05:
            whole[rng.choice(ATTRIBUTES)] = rng.choice(CODE)
        return whole

    def rule(self):
        names = [self.name() for _ in range(self.rng.choice([0, 1, 1, 1, 1, 2]))]
        return {"variables": names, "operator": self.operator(0)}

    def operator(self, level):
        rng = self.rng
        if rng.random() < 0.03:
            return rng.choice(
                [None, [], "carry", 7, rng.choice(CODE), {}, {"kind": None}, {"kind": ["carry"]}]
            )
        if rng.random() < 0.01:
            return self.deep(rng.choice([6, 30, 200]))
        made = rng.choice(list(OPERATORS.values()))
        made = {key: self.field(key, value, level) for key, value in made.items()}
        if rng.random() < 0.04:
            made[rng.choice([*ATTRIBUTES, "values", "lead"])] = rng.choice([*CODE, 1])
        return made

    def field(self, key, value, level):
        rng = self.rng
        if key in {"of", "then", "otherwise"}:
            return self.operator(level + 1) if level < 6 and rng.random() < 0.8 else value
        if key == "parts" and level > 3:
            return value
        if key == "parts":
            return [{"weight": self.number(0.5), "of": self.operator(level + 1)} for _ in range(self.few())]
        if key == "covariates":
            return [self.covariate() for _ in range(self.few())]
        if key == "by":
            return self.covariate()
        if key == "kind":
            return value if rng.random() < 0.96 else rng.choice([*CODE, *ATTRIBUTES, "Carry", "interpolate"])
        return self.number(value)

    def covariate(self):
        made = {"variable": self.name(), "lag": self.number(self.rng.randint(0, 3))}
        if self.rng.random() < 0.03:
            made[self.rng.choice(["lead", *ATTRIBUTES])] = 1
        return made

    def name(self):
        return (
            self.rng.choice(("weight", "weight", "glucose", "age"))
            if self.rng.random() < 0.93
            else self.odd()
        )

    def odd(self):
        return self.rng.choice([*MISSPELT, 3, None, "".join(self.rng.choices(string.printable, k=8))])

    def number(self, value):
        if self.rng.random() < 0.94:
            return value
        return self.rng.choice([*NUMBERS, self.rng.uniform(-1e4, 1e4), self.rng.randint(-1000, 10**9)])

    def few(self):
        return self.rng.choice([1, 2, 2, 3, 0, 60]) if self.rng.random() < 0.1 else 2

    def deep(self, levels):
        made = {"kind": "carry"}
        for _ in range(levels):
            made = {"kind": "shift", "delta": 0.1, "of": made}
        return made


def test_c8_ten_thousand_documents_are_refused_by_a_typed_error_or_bounded_operators():
    fuzz = Fuzz(0)
    accepted = {}
    refused = {"unreadable": 0, "inadmissible": 0}
    for _ in range(10_000):
        document = json.dumps(fuzz.document())
        try:
            (proposed,) = read(document, Recipes).recipes
            admit(proposed.recipe, PANEL.variables, PANEL.n_steps, PANEL.incomplete)
        except Unreadable as error:
            refused["unreadable"] += 1
            assert not any(code in str(error) for code in CODE)
        except InputError as error:
            refused["inadmissible"] += 1
            assert not any(code in str(error) for code in CODE)
        else:
            accepted[proposed.recipe.fingerprint] = proposed.recipe
    assert min(len(accepted), *refused.values()) > 300
    chained = [made for made in accepted.values() if "mice" in made.model_dump_json()]
    for made in accepted.values():
        assert all(len(list(nodes(rule.operator))) <= MAX_NODES for rule in made.rules)
    for made in [made for made in accepted.values() if made not in chained] + chained[:20]:
        assert np.isfinite(impute(PANEL, made).values).all()


@pytest.mark.parametrize("levels", [200, 10_000])
def test_c8_nesting_without_end_is_refused_as_text_and_as_a_parsed_call(levels):
    made = Fuzz(0).deep(levels)
    whole = '{"recipes": [{"recipe": {"rules": [{"variables": ["weight"], "operator": '
    opened = '{"kind": "shift", "delta": 0.1, "of": ' * levels
    with pytest.raises(Unreadable):
        read(whole + opened + '{"kind": "carry"}' + "}" * levels + "}]}}]}", Recipes)
    with pytest.raises(ValueError, match="validation error"):
        recipe(made)


@pytest.mark.parametrize("lag", [-1, -12, 10**9])
@pytest.mark.parametrize("place", ["ridge", "neighbours", "split"])
def test_c8_no_operator_reads_the_future(place, lag):
    ahead = json.loads(json.dumps(OPERATORS[place]).replace('"lag": 1', f'"lag": {lag}'))
    with pytest.raises(ValueError, match="lag"):
        recipe(ahead)


def answer(*operators):
    recipes = [{"recipe": recipe(o).model_dump(mode="json")} for o in operators]
    return tool_call("Recipes", {"recipes": recipes})


def raw(operator, **more):
    rules = [{"variables": ["weight"], "operator": operator}]
    return tool_call("Recipes", {"recipes": [{"recipe": {"rules": rules} | more}]})


GOOD = answer(OPERATORS["tilt"])
BAD = {
    "code as an operator": raw(CODE[0]),
    "code as a kind": raw({"kind": CODE[1]}),
    "code beside the rules": raw({"kind": "carry"}, code=CODE[2]),
    "code as a name": raw({"kind": "ridge", "covariates": [{"variable": CODE[10]}]}),
    "the future": raw({"kind": "ridge", "covariates": [{"variable": "glucose", "lag": -1}]}),
    "a huge window": raw({"kind": "ridge", "covariates": [{"variable": "glucose", "lag": 10**6}]}),
    "NaN": tool_call(
        "Recipes",
        '{"recipes": [{"recipe": {"rules": [{"variables": ["weight"], "operator": '
        '{"kind": "shift", "delta": NaN, "of": {"kind": "carry"}}}]}}]}',
    ),
    "1e308": raw({"kind": "shift", "delta": 1e308, "of": {"kind": "carry"}}),
    "itself": raw({"kind": "ridge", "covariates": [{"variable": "weight"}]}),
    "nested deep": raw(Fuzz(0).deep(60)),
    "nested beyond parsing": tool_call("Recipes", '{"recipes": ' + "[" * 10_000 + "]" * 10_000 + "}"),
    "Python": text("```python\nimport os\n```"),
    "nothing": tool_call("Recipes", {"recipes": []}),
    "an unknown name": raw({"kind": "ridge", "covariates": [{"variable": "height"}]}),
    "a lag beyond the panel": raw({"kind": "ridge", "covariates": [{"variable": "glucose", "lag": 9}]}),
    "no rule": tool_call(
        "Recipes", {"recipes": [{"recipe": recipe({"kind": "carry"}, "glucose").model_dump(mode="json")}]}
    ),
    "the same twice": answer(OPERATORS["tilt"], OPERATORS["tilt"]),
    "more than wanted": answer(*list(OPERATORS.values())[:4]),
}
SAID = {
    "an unknown name": "use a listed name exactly",
    "a lag beyond the panel": "beyond the 5 steps",
    "no rule": "has no rule",
    "the same twice": "given before",
    "more than wanted": "more than 3",
}


def proposed(replies, serve):
    """What the agent returns, and the service and the mind that it asked."""
    mind = Mind({"propose_operators": replies})
    server = serve(mind)
    case = imputation_case(PANEL, [Mechanism(variable="weight", strength=1.0)], [], wanted=3)
    return (lambda: propose_operators(case, PANEL, Settings(model="openai:scripted"))), server, mind


@pytest.mark.parametrize("name", BAD)
def test_c8_what_cannot_be_admitted_takes_three_requests_and_a_typed_error(name, serve):
    ask, _, mind = proposed([BAD[name]], serve)
    with pytest.raises(ModelOutputError, match=SAID.get(name)) as refused:
        ask()
    assert isinstance(refused.value, Inadmissible) == (name in SAID)
    assert mind.asked["propose_operators"] == 3
    assert not any(code in str(refused.value) for code in CODE)


@pytest.mark.parametrize("name", BAD)
def test_c8_a_bad_answer_and_a_good_one_take_two_requests(name, serve):
    ask, server, mind = proposed([BAD[name], GOOD], serve)
    reply = ask()
    assert reply.value == (recipe(OPERATORS["tilt"]),)
    assert reply.calls == mind.asked["propose_operators"] == 2
    assert "could not be used" in server.bodies[1]["messages"][-1]["content"]


def test_c8_a_good_answer_takes_one_request(serve):
    ask, _, mind = proposed([GOOD], serve)
    assert ask().calls == mind.asked["propose_operators"] == 1


COHORT = simulated(0.5, 2.0, n_patients=300)


def with_copy(cohort, make):
    """The cohort's panel with a variable that is hba1c under another name, missing where that is."""
    values = np.concatenate([cohort.panel.values, make(cohort.panel.column("hba1c"))[:, :, None]], axis=2)
    copy = Variable(name="copied", kind="confounder", low=-1000, high=1000)
    return Panel(values, (*cohort.panel.variables, copy))


COPIES = {
    "the same": lambda x: x,
    "another unit": lambda x: 10.93 * x - 23.5,
    "the other way round": lambda x: -x,
    "its logarithm": np.log,
    "rounded": lambda x: np.round(x, 1),
}


@pytest.mark.parametrize("name", COPIES)
def test_c9_a_copy_of_the_masked_variable_gains_nothing(name):
    """It is hidden with it at every held-out cell: a regression on it does no better than without."""
    double = with_copy(COHORT, COPIES[name])
    mechanisms = [*COHORT.mechanisms, COHORT.mechanisms[0].model_copy(update={"variable": "copied"})]
    trials = Trials(double, mechanisms, draws=2)
    hba1c, copied = double.place("hba1c"), double.place("copied")
    for trial in trials.trials:
        held = trial.held_out[:, :, hba1c]
        assert held.sum() > 50
        assert np.isnan(trial.masked.values[:, :, copied][held]).all()
    plain = each(COHORT, lambda n, _: {"kind": "ridge", "covariates": known(n)}).model_dump()["rules"]
    copied_rule = {"variables": ["copied"], "operator": {"kind": "carry"}}

    def error(covariates):
        own = {"variables": ["hba1c"], "operator": {"kind": "ridge", "covariates": covariates}}
        others = [rule for rule in plain if rule["variables"] != ("hba1c",)]
        made = type(recipe({"kind": "carry"})).model_validate({"rules": [own, *others, copied_rule]})
        return trials.judge(made).nrmse["hba1c"].estimate

    honest = error(known("hba1c"))
    assert error([*known("hba1c"), {"variable": "copied", "lag": 0}]) > 0.97 * honest
    assert error([{"variable": "copied", "lag": 0}]) > honest


def test_c9_a_column_that_tells_the_next_value_gains_nothing():
    def told_early(x):
        return np.concatenate([x[:, 1:], x[:, :1]], axis=1)

    double = with_copy(COHORT, told_early)
    mechanisms = [*COHORT.mechanisms, COHORT.mechanisms[0].model_copy(update={"variable": "copied"})]
    hba1c, copied = double.place("hba1c"), double.place("copied")
    for trial in Trials(double, mechanisms, draws=2).trials:
        held = trial.held_out[:, 1:, hba1c]
        assert held.sum() > 50
        assert np.isnan(trial.masked.values[:, :-1, copied][held]).all()


def carried(x):
    """A column in which what is missing was filled with the value last seen, as many files have it."""
    x = x.copy()
    for step in range(1, x.shape[1]):
        x[:, step] = np.where(np.isnan(x[:, step]), x[:, step - 1], x[:, step])
    return x


@pytest.mark.parametrize("name", ["the same", "another unit", "the other way round", "its logarithm"])
def test_c9_a_copy_in_which_the_missing_was_filled_gains_nothing(name):
    """It is seen where the true one is missing, and so tells nothing of what it would tell there."""
    double = with_copy(COHORT, lambda x: carried(COPIES[name](x)))
    mechanisms = [*COHORT.mechanisms, COHORT.mechanisms[0].model_copy(update={"variable": "copied"})]
    hba1c, copied = double.place("hba1c"), double.place("copied")
    for trial in Trials(double, mechanisms, draws=2).trials:
        held = trial.held_out[:, :, hba1c]
        assert np.isnan(trial.masked.values[:, :, copied][held]).all()


def with_baseline(filled):
    """The cohort's panel with a static that is twice the hba1c of the first step."""
    first = COHORT.panel.column("hba1c")[:, :1]
    first = 2 * np.where(np.isnan(first), filled, first)
    whole = np.concatenate([COHORT.panel.values, np.repeat(first, 5, axis=1)[:, :, None]], axis=2)
    baseline = Variable(name="baseline", kind="static", low=0, high=100)
    return Panel(whole, (*COHORT.panel.variables, baseline))


def test_c9_a_baseline_is_hidden_with_the_first_step_that_it_copies():
    """As a static it stands at every step, the first among them."""
    double = with_baseline(np.nan)
    mechanisms = [*COHORT.mechanisms, Mechanism(variable="baseline", strength=1.0)]
    for trial in Trials(double, mechanisms, draws=2).trials:
        held = trial.held_out[:, 0, double.place("hba1c")]
        assert held.sum() > 20
        baseline = trial.masked.column("baseline")
        assert np.isnan(baseline[held]).all()
        assert not np.isnan(baseline[~held & ~trial.held_out[:, 0, double.place("baseline")]]).all()


def test_c9_a_copy_that_is_always_seen_is_refused():
    """What is hidden of it would ask for a rule that no recipe has, and a true copy would fill the gaps."""
    with pytest.raises(InputError, match="tells what hba1c is, and is always seen") as refused:
        Trials(with_baseline(7.0), COHORT.mechanisms)
    assert refused.value.field == "baseline"


def test_c9_a_sound_proxy_that_is_always_seen_stays_seen():
    rng = np.random.default_rng(0)
    proxy = COHORT.complete.column("hba1c") + 0.3 * rng.normal(size=(300, 5))
    double = with_copy(COHORT, lambda _: proxy)
    for trial in Trials(double, COHORT.mechanisms, draws=2).trials:
        assert not np.isnan(trial.masked.column("copied")).any()


def test_c9_a_copy_of_a_static_is_hidden_with_it():
    values = panel(n_patients=200).values.copy()
    values[::3, :, 0] = np.nan
    double = Panel(
        np.concatenate([values, 2 * values[:, :, :1]], axis=2),
        (*VARIABLES, Variable(name="copied", kind="static", low=-1000, high=1000)),
    )
    mechanisms = [Mechanism(variable=name, strength=1.0) for name in double.incomplete]
    for trial in Trials(double, mechanisms, draws=2).trials:
        held = trial.held_out[:, :, 0]
        assert held.sum() > 50
        assert np.isnan(trial.masked.values[:, :, 4][held]).all()
        assert (held.all(axis=1) == held.any(axis=1)).all()


def test_c9_what_is_held_out_is_gone_before_anything_of_an_operator_runs(monkeypatch):
    seen = []

    def spy(masked, made, seed=0):
        seen.append(masked)
        return impute(masked, made, seed)

    monkeypatch.setattr("tools.treatment.fitness.impute", spy)
    trials = Trials(COHORT.panel, COHORT.mechanisms, draws=2)
    trials.judge(recipe({"kind": "carry"}, *COHORT.panel.incomplete))
    assert len(seen) == 4
    for masked, trial in zip(seen, trials.trials * 2, strict=True):
        assert masked is trial.masked
        assert np.isnan(masked.values[trial.held_out]).all()
