"""A trace leaves only through the client that lets nothing but structure out; else no run starts."""

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langsmith import Client, run_trees
from langsmith.run_helpers import tracing_context
from langsmith.utils import get_env_var, tracing_is_enabled

from tools.safety.errors import InputError
from tools.safety.trace_client import StructureClient, error_name, structure_of
from tools.safety.tracing import admit_tracing

SWITCHES = ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING", "LANGCHAIN_TRACING_V2")
NOWHERE = "http://127.0.0.1:9"
spellings = st.sampled_from(["true", "True", "1", "yes", "on", " true ", "false", "0", ""])
choices = st.sampled_from(["anonymized", "", "yes", "true", "ANONYMIZED"])
environments = st.fixed_dictionaries(
    {}, optional=dict.fromkeys((*SWITCHES, "LANGSMITH_HIDE_INPUTS"), spellings) | {"IIKEA_TRACING": choices}
)


@cache
def ours():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LANGSMITH_ENDPOINT", NOWHERE)
        patch.setenv("LANGSMITH_API_KEY", "k")
        return StructureClient()


def refusal(environment, client=None):
    """What refuses, with the client that the process has had until then."""
    with pytest.MonkeyPatch.context() as patch:
        for name in (*SWITCHES, "LANGSMITH_HIDE_INPUTS", "IIKEA_TRACING"):
            patch.delenv(name, raising=False)
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setenv("LANGSMITH_ENDPOINT", NOWHERE)
        patch.setenv("LANGSMITH_API_KEY", "k")
        patch.setattr(run_trees, "_CLIENT", client)
        get_env_var.cache_clear()
        try:
            admit_tracing()
        except InputError as error:
            return error
        else:
            assert not tracing_is_enabled() or isinstance(run_trees.get_cached_client(), StructureClient)
            return None
        finally:
            get_env_var.cache_clear()


@given(environments)
def test_what_is_let_through_is_off_or_goes_through_the_client_of_structure(environment):
    refusal(environment, ours())


@pytest.mark.parametrize("switch", SWITCHES)
@pytest.mark.parametrize("chosen", [{}, {"IIKEA_TRACING": ""}, {"IIKEA_TRACING": "yes"}])
def test_on_without_the_anonymizer_is_refused_with_the_setting_and_the_remedy(switch, chosen):
    error = refusal(
        {switch: "true", "LANGSMITH_HIDE_INPUTS": "true", "LANGSMITH_HIDE_OUTPUTS": "true"} | chosen
    )
    assert error.field == switch
    assert "IIKEA_TRACING=anonymized" in str(error)
    assert "unset" in str(error)


def test_off_is_let_through_whatever_is_chosen():
    assert refusal({}) is None
    assert refusal(dict.fromkeys(SWITCHES, "false") | {"IIKEA_TRACING": "anonymized"}) is None


def test_a_client_that_was_there_before_is_refused():
    stranger = Client(api_url=NOWHERE, api_key="k", auto_batch_tracing=False)
    on = {"LANGSMITH_TRACING": "true", "IIKEA_TRACING": "anonymized"}
    assert refusal(on) is None
    assert "another client" in str(refusal(on, stranger))
    with tracing_context(enabled=True, client=stranger):
        assert "another client" in str(refusal(on))


@pytest.mark.parametrize(
    ("error", "name"),
    [
        ("InputError('comment: canary')\n\nTraceback: canary", "InputError"),
        ("canary", "error"),
        ("openai.APIError('canary')", "openai.APIError"),
        ("", "error"),
    ],
)
def test_of_an_error_its_class_is_told(error, name):
    assert error_name(error) == name


def test_of_metadata_the_structure_and_the_numbers_are_told():
    told = structure_of(
        {
            "langgraph_node": "propose",
            "langgraph_step": 4,
            "ls_model_name": "gpt",
            "thread_id": "canary",
            "patient": "canary",
            "usage_metadata": {"input_tokens": 3, "output_tokens": 4, "note": "canary", "x": {"y": "canary"}},
        }
    )
    assert told == {
        "langgraph_node": "propose",
        "langgraph_step": 4,
        "ls_model_name": "gpt",
        "usage_metadata": {"input_tokens": 3, "output_tokens": 4, "x": {}},
    }
