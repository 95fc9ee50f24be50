"""Every prompt says what it needs, asks for a type there is, and speaks of the case it comes with."""

import re

import pytest

import prompts
from agents import answers, cases, imputation_cases
from agents.answers import Answer
from agents.cases import Case
from prompts import loader

CASES = {case.model_fields["task"].default: case for case in Case.__subclasses__()}
WHOLE = "---\nname: p\nversion: 1\ninputs: [case]\nanswer: Query\nsource: here\n---\nSay `case`.\n"
prompt = pytest.mark.parametrize(
    "prompt", [prompts.load(name) for name in prompts.names()], ids=lambda p: p.name
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(loader, "_FOLDER", tmp_path)
    loader.load.cache_clear()
    yield tmp_path
    loader.load.cache_clear()


def field_names(model):
    """Names of a model's fields and of those of the models within it."""
    schema = model.model_json_schema()
    return [name for one in (schema, *schema.get("$defs", {}).values()) for name in one.get("properties", ())]


def loaded(folder, text, name="p"):
    (folder / f"{name}.md").write_text(text, encoding="utf-8")
    return prompts.load(name)


def test_every_task_has_its_prompt_and_every_prompt_its_task():
    assert set(prompts.names()) == set(CASES)


@prompt
def test_the_answer_is_a_type_of_answers(prompt):
    assert issubclass(getattr(answers, prompt.answer), Answer)
    assert getattr(answers, prompt.answer) is not Answer


@prompt
def test_the_inputs_are_the_fields_of_the_case(prompt):
    assert set(prompt.inputs) == set(CASES[prompt.name].model_fields) - {"task"}
    assert len(set(prompt.inputs)) == len(prompt.inputs)


@prompt
def test_every_input_is_named_in_the_text(prompt):
    assert [name for name in prompt.inputs if f"`{name}`" not in prompt.text] == []


@prompt
def test_what_the_text_marks_as_a_name_is_a_field_there_is(prompt):
    modules = (cases, imputation_cases, answers)
    models = [model for module in modules for model in vars(module).values()]
    fields = {name for model in models if getattr(model, "model_fields", None) for name in field_names(model)}
    assert set(re.findall(r"`(\w+)`", prompt.text)) <= fields


@prompt
def test_the_text_is_an_instruction_with_a_source_and_nothing_of_the_front_matter(prompt):
    assert prompt.source
    assert len(prompt.text.split()) > 30
    assert "---" not in prompt.text


def test_a_whole_file_loads(folder):
    found = loaded(folder, WHOLE)
    assert (found.name, found.version, found.inputs, found.text) == ("p", 1, ("case",), "Say `case`.")
    assert prompts.names() == ("p",)


@pytest.mark.parametrize("line", re.findall(r"^\w+: .*\n", WHOLE, re.MULTILINE))
def test_a_missing_field_is_refused(folder, line):
    with pytest.raises(ValueError, match=rf"'p'(.|\n)*{line.partition(':')[0]}"):
        loaded(folder, WHOLE.replace(line, ""))


@pytest.mark.parametrize(
    "text",
    [
        WHOLE.replace("source:", "author: me\nsource:"),
        WHOLE.replace("source:", "text: twice\nsource:"),
        WHOLE.replace("version: 1", "version: 0"),
        WHOLE.replace("version: 1", "version: one"),
        WHOLE.replace("[case]", "[]"),
        WHOLE.replace("[case]", "[case"),
        WHOLE.replace("Say `case`.", "  "),
        WHOLE.replace("name: p", "name: q"),
        WHOLE.removeprefix("---\n"),
        WHOLE.replace("---\nSay", "Say"),
        "---\n---\nSay `case`.\n",
        "Say `case`.\n",
        "",
    ],
)
def test_a_file_that_breaks_the_form_is_refused_by_name(folder, text):
    with pytest.raises(ValueError, match="prompt 'p'"):
        loaded(folder, text)


def test_an_unknown_name_lists_what_there_is(folder):
    loaded(folder, WHOLE)
    with pytest.raises(ValueError, match="no prompt 'q'; there are p"):
        prompts.load("q")
