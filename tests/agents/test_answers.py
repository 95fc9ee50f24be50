"""Reading a model's answer: what is valid comes back equal, everything else is refused without an echo."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.answers import (
    Decision,
    Hypothesis,
    ProposedEdge,
    ProposedModel,
    ProposedPrediction,
    Query,
    QuotedClaim,
    Reading,
    Unreadable,
    read,
    validate,
)

CANARY = "zaphod-beeblebrox"
KINDS = (Query, Reading, Hypothesis, Decision, ProposedModel)

words = st.text(st.characters(codec="utf-8"), max_size=60) | st.sampled_from(
    ["[" * 50, "}" * 50, "```", "\n```\n", '"', "\\", "a [1] {2}"]
)
stripped = words.map(str.strip)
code = stripped.filter(bool)
edges = st.builds(ProposedEdge, cause=code, effect=code, because=stripped)
claims = st.builds(
    QuotedClaim,
    direction=st.sampled_from(["raises", "lowers", "none"]),
    strength=st.sampled_from(["strong", "moderate", "weak", "unstated"]),
    quote=words.filter(bool),
    cause=st.none() | code,
    effect=st.none() | code,
)
predictions = st.builds(
    ProposedPrediction,
    code=code,
    probability=st.floats(0, 1),
    reason=code,
    path=st.lists(code, max_size=3),
    evidence=st.lists(words, max_size=2),
    counter_evidence=stripped,
)
answers = st.one_of(
    st.builds(Query, query=code),
    st.builds(Reading, findings=st.lists(claims, max_size=3)),
    st.builds(Hypothesis, edges=st.lists(edges, max_size=3), no_edges_because=stripped),
    st.builds(
        Decision,
        predictions=st.lists(predictions, min_size=1, max_size=3),
        explanation=stripped.filter(lambda text: "<SEP>" not in text),
    ),
)
WRAPPINGS = {
    "plain": "{}",
    "fenced": "```json\n{}\n```",
    "bare_fence": "```\n{}\n```",
    "fence_after_prose": "As asked [by you], {{so}}:\n\n```json\n{}\n```\nAnything else?",
    "fence_on_one_line": "```json {} ```",
    "prose": "Here it is: {}\nI hope this helps.",
    "space": "\n\n  {}  \n",
}


def wrapped(wrapping: str, body: str) -> str:
    return WRAPPINGS[wrapping].replace("{{so}}", "<so>").replace("{}", body)


def reason(kind, text):
    with pytest.raises(Unreadable) as refused:
        read(text, kind)
    return refused.value.problems


@given(answers, st.sampled_from(sorted(WRAPPINGS)), st.sampled_from([None, 2]), st.booleans())
def test_any_valid_answer_reads_back_equal_in_every_wrapping(answer, wrapping, indent, ascii_only):
    body = json.dumps(answer.model_dump(mode="json"), indent=indent, ensure_ascii=ascii_only)
    assert read(wrapped(wrapping, body), type(answer)) == answer


@given(answers)
def test_a_parsed_answer_validates_to_itself(answer):
    assert validate(answer.model_dump(mode="json"), type(answer)) == answer


@given(st.lists(predictions, min_size=1, max_size=3), stripped.filter(lambda text: "<SEP>" not in text))
def test_a_decision_may_be_a_list_and_an_explanation_after_a_separator(listed, explanation):
    body = json.dumps([p.model_dump(mode="json") for p in listed])
    for spelling in (body, f"```json\n{body}\n```\n"):
        answer = read(f"{spelling}<SEP>{explanation}", Decision)
        assert answer == Decision(predictions=listed, explanation=explanation)


def test_only_a_decision_has_the_separated_form():
    assert reason(Hypothesis, '[{"cause": "1", "effect": "2"}] <SEP> so')


@given(answers, answers)
def test_two_answers_are_one_too_many(first, second):
    one, other = (json.dumps(answer.model_dump(mode="json")) for answer in (first, second))
    assert reason(type(first), f"{one}\n{other}") == ["more than one JSON value; give one"]
    assert reason(type(first), f"```json\n{one}\n```\nor\n```json\n{other}\n```") == [
        "more than one fenced block; give one"
    ]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", ["", " \n\t", "lorem ipsum", "{", "[1, 2", "```json\n```", "null", "3"])
def test_nothing_garbage_and_half_an_answer_are_refused(kind, text):
    assert reason(kind, text)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 5000, "1.01"])
def test_what_is_no_probability_is_refused(number):
    prediction = f'{{"code": "1", "reason": "r", "probability": {number}}}'
    assert reason(Decision, f'{{"predictions": [{prediction}], "explanation": ""}}')


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_a_word_that_json_does_not_know_is_named(number):
    assert reason(Query, f'{{"query": {number}}}') == [f"query: {number} is not a JSON number"]


def test_a_key_given_twice_is_refused_at_any_depth():
    twice = ["a key is given twice in one object"]
    assert reason(Query, '{"query": "a", "query": "a"}') == twice
    assert reason(Hypothesis, '{"edges": [{"cause": "1", "cause": "2", "effect": "3"}]}') == twice


@given(st.integers(41, 3000), st.sampled_from(["[]", "{}"]), st.sampled_from(["", ']]]]"', '"', '\\"']))
def test_deep_nesting_is_refused_whatever_strings_hide(depth, kind, decoy):
    opening = "[" if kind == "[]" else '{"a":'
    body = json.dumps(decoy * depth).join([f"[{opening * depth}", f",{kind[1] * depth}]"])
    assert reason(Hypothesis, body)[0] in {"nested deeper than 40", "not valid JSON"}


def test_a_long_run_of_escapes_is_read_in_reasonable_time():
    assert reason(Query, '{"query": "' + '\\"' * 200_000)


@given(st.sampled_from(KINDS), st.text(max_size=300) | st.text('{}[]",:\\`e1N<SEP>\n ', max_size=300))
def test_any_text_is_read_or_unreadable(kind, text):
    try:
        answer = read(text, kind)
    except Unreadable as refused:
        assert refused.problems
    else:
        assert isinstance(answer, kind)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(CANARY),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["edges", "cause", "effect", "predictions", "code", "query", CANARY]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.sampled_from(KINDS), json_values)
def test_problems_are_few_short_and_never_quote_the_answer(kind, data):
    try:
        validate(data, kind)
    except Unreadable as refused:
        assert 1 <= len(refused.problems) <= 5
        assert all(len(problem) <= 250 for problem in refused.problems)
        assert CANARY not in str(refused)


@pytest.mark.parametrize(
    "text",
    [
        CANARY,
        f'{{"query": "{CANARY}", "{CANARY}": 1}}',
        f'{{"{CANARY}": {{"{CANARY}": NaN}}}}',
        f'{{"{CANARY}": 1, "{CANARY}": 1}}',
        f'{{"query": "{CANARY}" {CANARY}}}',
        f'{{"query": "{CANARY}{"x" * 600}"}}',
        f'{{"query": "\\{CANARY}"}}',
        f'```\n"{CANARY}"\n```\n```\n"{CANARY}"\n```',
    ],
)
def test_a_refusal_of_text_never_quotes_it(text):
    assert CANARY not in "; ".join(reason(Query, text))


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_field_is_refused(kind):
    with pytest.raises(Unreadable, match="Extra inputs are not permitted"):
        validate({"query": "q", "note": 1, "edges": [], "findings": []}, kind)


def test_five_hundred_faults_are_five_problems():
    assert len(reason(Hypothesis, json.dumps({"edges": [{}] * 300}))) == 5


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (Query, {"query": " "}),
        (Decision, {"predictions": [], "explanation": ""}),
        (Hypothesis, {"edges": [{"cause": "1", "effect": "2"}] * 401}),
        (Hypothesis, {"edges": [{"cause": " ", "effect": "2"}]}),
        (Reading, {"findings": [{"direction": "raises", "quote": ""}]}),
        (Reading, {"findings": [{"direction": "raises", "quote": "x" * 601}]}),
        (Reading, {"findings": [{"direction": "doubles", "quote": "x"}]}),
        (Reading, {"findings": [{"quote": "without a direction"}]}),
    ],
)
def test_empty_and_boundless_answers_are_refused(kind, data):
    with pytest.raises(Unreadable):
        validate(data, kind)
