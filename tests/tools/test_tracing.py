"""Wherever LangSmith would send patient data away, the run is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langsmith import Client
from langsmith.utils import get_env_var, tracing_is_enabled

from tools.safety.errors import InputError
from tools.safety.tracing import refuse_open_tracing

SWITCHES = ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING", "LANGCHAIN_TRACING_V2")
HIDERS = ("LANGSMITH_HIDE_INPUTS", "LANGSMITH_HIDE_OUTPUTS")
spellings = st.sampled_from(["true", "True", "1", "yes", "on", " true ", "false", "0", ""])
environments = st.fixed_dictionaries({}, optional=dict.fromkeys((*SWITCHES, *HIDERS), spellings))


def refusal(environment):
    with pytest.MonkeyPatch.context() as patch:
        for name in (*SWITCHES, *HIDERS):
            patch.delenv(name, raising=False)
        for name, value in environment.items():
            patch.setenv(name, value)
        get_env_var.cache_clear()
        try:
            refuse_open_tracing()
        except InputError as error:
            return error
        else:
            assert not sends_data()
            return None
        finally:
            get_env_var.cache_clear()


def sends_data():
    client = Client(api_url="http://127.0.0.1:9", api_key="k", auto_batch_tracing=False)
    return tracing_is_enabled() and not (client._hide_inputs and client._hide_outputs)


@given(environments)
def test_what_is_let_through_sends_no_data(environment):
    refusal(environment)


@given(environments)
def test_off_or_hidden_is_let_through(environment):
    hidden = dict.fromkeys(HIDERS, "true")
    off = {name: value for name, value in environment.items() if name in HIDERS}
    assert refusal(environment | hidden) is None
    assert refusal(off) is None
    assert refusal(off | dict.fromkeys(SWITCHES, "false")) is None


@pytest.mark.parametrize("switch", SWITCHES)
@pytest.mark.parametrize("hidden", [{}, {HIDERS[0]: "true"}, {HIDERS[1]: "true"}, dict.fromkeys(HIDERS, "1")])
def test_on_and_not_hidden_is_refused_with_the_setting_and_the_remedy(switch, hidden):
    error = refusal({switch: "true", **hidden})
    assert error.field == switch
    assert all(name in str(error) for name in HIDERS)
