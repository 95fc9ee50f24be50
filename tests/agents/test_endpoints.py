"""Where a model is, and whether it may be asked: what is refused is refused before a byte is sent."""

import pytest
from langchain_core.messages import HumanMessage

from agents.answers import Hypothesis
from agents.budget import Used
from agents.endpoints import endpoint_of, why_near
from agents.model import Declined, Reply, ask
from agents.providers import open_model, request, require_admissible
from agents.settings import ROLES, Settings
from graph.context import DiagnosisContext
from graph.diagnosis import graph
from prompts import names
from tests.agents.cases import EDGE, amendment_case
from tests.agents.service import KEY, MODEL, served
from tests.causal.cohorts import dataset
from tests.fakes.model_server import ModelServer, finish, refusal, status, text, tool_call
from tests.fakes.model_server import Reply as Answer
from tools.safety.errors import BudgetExceeded, InputError, ModelOutputError, ProviderError

ASKED = [HumanMessage("well?")]
GOOD = tool_call("Hypothesis", {"edges": [{"cause": "4019", "effect": "5859"}]})
AWAY = "http://models.example.org:8000/v1"


@pytest.fixture
def away(monkeypatch):
    """An environment whose service is somewhere else; the network guard fails who connects to it."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", AWAY)
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_VERSION", "2024-10-21")
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://hospital.openai.azure.com/")


def proposed(**more) -> Reply[Hypothesis]:
    return ask(amendment_case(EDGE), Hypothesis, Settings(**more), admit=lambda answer: answer)


def test_every_prompt_belongs_to_a_role():
    assert set(ROLES) == set(names())


@pytest.mark.parametrize("variable", ["OPENAI_BASE_URL", "OPENAI_API_BASE"])
def test_the_settings_address_stands_before_that_of_the_environment(variable, monkeypatch):
    with ModelServer([text("yes")]) as server:
        monkeypatch.setenv(variable, AWAY)
        answer = request(open_model(MODEL, base_url=server.url), ASKED, "host")
    assert answer.text == "yes"
    assert len(server.requests) == 1


def test_a_server_on_this_machine_needs_no_key():
    with ModelServer([text("yes")]) as server:
        assert request(open_model(MODEL, base_url=server.url), ASKED, "host").text == "yes"
    assert "sk-" not in server.requests[0].headers["authorization"]


@pytest.mark.parametrize("variables", [("OPENAI_BASE_URL",), ("OPENAI_API_BASE", "OPENAI_BASE_URL")])
def test_the_client_goes_where_the_environment_is_taken_to_lead(variables, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for number, variable in enumerate(variables):
        monkeypatch.setenv(variable, f"http://host-{number}.example.org:8000/v1")
    assert endpoint_of(MODEL).address.host == "host-0.example.org"
    assert open_model(MODEL).root_client.base_url.host == "host-0.example.org"


def test_a_password_in_the_environments_address_is_in_no_repr(monkeypatch):
    with served([], user="ford:prefect@"):
        assert "prefect" not in repr(open_model(MODEL))
        assert "prefect" not in repr(endpoint_of(MODEL))


def test_a_listed_server_needs_no_key(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", AWAY)
    with pytest.raises(InputError, match="OPENAI_API_KEY"):
        open_model(MODEL)
    monkeypatch.setenv("IIKEA_MODEL_HOSTS", "models.example.org")
    assert open_model(MODEL, base_url=AWAY).model_name == "scripted"


@pytest.mark.parametrize(
    "url",
    [
        AWAY,
        "http://localhost.evil.com/v1",
        "http://127.0.0.1.nip.io/v1",
        "http://0x7f.1/v1",
        "http://127.0.0.1@evil.com/v1",
        "http://ford:prefect@127.0.0.1/v1",
        "http://127.0.0.1/v1?key=x",
    ],
)
def test_an_address_of_the_settings_that_is_not_near_never_gets_the_key(url, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for act in (
        lambda: open_model(MODEL, base_url=url),
        lambda: require_admissible(Settings(model=MODEL, base_url=url)),
        lambda: proposed(model=MODEL, base_url=url),
    ):
        with pytest.raises(InputError, match="base_url") as refused:
            act()
        assert KEY not in str(refused.value)
        assert "prefect" not in str(refused.value)


def test_what_an_address_that_is_refused_can_do_is_said():
    with pytest.raises(InputError) as refused:
        endpoint_of(MODEL, AWAY)
    for words in ("models.example.org:8000", "IIKEA_MODEL_HOSTS", "OPENAI_BASE_URL", "nothing was sent"):
        assert words in str(refused.value)


@pytest.mark.parametrize("models", [{}, {"model": "azure_openai:gpt"}])
def test_an_address_that_no_model_reads_is_refused(models, away):
    with pytest.raises(InputError, match="openai:NAME only"):
        require_admissible(Settings(base_url="http://127.0.0.1:1/v1", **models))


@pytest.mark.parametrize(
    "models",
    [
        {"model": MODEL},
        {"model": "OpenAI:x"},
        {"model": "azure_openai:gpt"},
        {"reader_model": MODEL},
        {"reasoner_model": MODEL},
        {"decider_model": "azure_openai:gpt"},
        {"fallback_model": MODEL},
    ],
)
def test_local_only_refuses_every_role_before_the_run_begins(models, away):
    assert require_admissible(Settings(**models)) == ""
    (field,) = models
    with pytest.raises(InputError) as refused:
        require_admissible(Settings(**models, local_only=True))
    assert refused.value.field == field
    assert "local-only" in str(refused.value)
    assert "IIKEA_MODEL_HOSTS" in str(refused.value)


def test_local_only_lets_this_machine_and_listed_hosts_pass(away, monkeypatch):
    monkeypatch.setenv("IIKEA_MODEL_HOSTS", "models.example.org:8000, hospital.openai.azure.com")
    for name in (MODEL, "azure_openai:gpt"):
        require_admissible(Settings(model=name, local_only=True))
        assert open_model(name, stay_near="it is so")


def test_what_the_operator_sets_no_setting_undoes(away, monkeypatch):
    monkeypatch.setenv("IIKEA_LOCAL_ONLY", "1")
    with pytest.raises(InputError, match="IIKEA_LOCAL_ONLY"):
        proposed(model=MODEL, local_only=False)


def test_credentialed_records_make_every_call_local_only(away, tmp_path):
    for name, credentialed in (("open", False), ("guarded", True)):
        data = dataset([[{"4019"}, {"5856"}]])
        data.credentialed = credentialed
        data.save(tmp_path / name)
    assert why_near(Settings(store=str(tmp_path / "open"))) == ""
    with pytest.raises(InputError, match="credentialed"):
        proposed(model=MODEL, store=str(tmp_path / "guarded"))


class Elsewhere:
    """A client of a provider that is not installed, with the address it tells."""

    def __init__(self, **told: object) -> None:
        self.__dict__.update(told)


@pytest.mark.parametrize(
    ("told", "admitted"),
    [
        ({"base_url": "http://127.0.0.1:11434"}, True),
        ({"base_url": "http://127.0.0.1:1", "api_base": "https://api.example.org"}, False),
        ({"openai_api_base": "http://localhost:1", "root_client": Elsewhere(base_url=AWAY)}, False),
        ({"base_url": "https://api.example.org"}, False),
        ({"base_url": "somewhere"}, False),
        ({"base_url": None}, False),
        ({}, False),
    ],
)
def test_another_provider_passes_only_if_its_client_says_that_it_is_near(told, admitted, monkeypatch):
    monkeypatch.setattr("langchain.chat_models.init_chat_model", lambda *_, **__: Elsewhere(**told))
    chosen = Settings(model="ollama:llama", local_only=True)
    if admitted:
        assert require_admissible(chosen)
        return
    with pytest.raises(InputError, match="nothing was sent"):
        require_admissible(chosen)
    assert open_model("ollama:llama")


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "OPENAI_PROXY"])
def test_a_server_on_this_machine_is_asked_without_a_proxy(variable, monkeypatch):
    with ModelServer([text("yes")]) as server, ModelServer([text("stolen")]) as proxy:
        monkeypatch.setenv(variable, proxy.url.removesuffix("/v1"))
        assert request(open_model(MODEL, base_url=server.url), ASKED, "host").text == "yes"
    assert proxy.requests == []


def test_a_redirect_is_not_followed():
    with ModelServer([text("stolen")]) as other:
        moved = status(307, {"Location": f"{other.url}/chat/completions"})
        with served([moved]), pytest.raises(ProviderError, match="307"):
            request(open_model(MODEL), ASKED, "host")
    assert other.requests == []


def by_model(answers: dict[str, list[Answer]]):
    """A service of several models, each with its replies in order."""
    left = {name: iter(replies) for name, replies in answers.items()}
    return lambda body: next(left[body["model"]])


def asked(server: ModelServer) -> list[str]:
    return [body["model"] for body in server.bodies]


def test_a_role_has_its_model_and_the_others_keep_theirs():
    assert Settings().models == {"model": "statistical"}
    chosen = Settings(model="openai:a", reader_model="openai:b", fallback_model="openai:c")
    assert [chosen.model_of(role) for role in ("reader", "reasoner", "decider")] == [
        "openai:b",
        "openai:a",
        "openai:a",
    ]
    assert set(chosen.models.values()) == {"openai:a", "openai:b", "openai:c"}
    with served(by_model({"thinker": [GOOD]})) as server:
        reply = proposed(model="openai:other", reasoner_model="openai:thinker")
    assert asked(server) == ["thinker"]
    assert reply.told == {"role": "reasoner", "model": "openai:thinker", "fell_back": False}


@pytest.mark.parametrize(
    "fault", [status(503, {"Retry-After": "3600"}), status(429, {"Retry-After": "3600"})]
)
def test_where_the_service_stays_away_the_fallback_answers_and_it_is_told(fault):
    with served(by_model({"first": [fault], "second": [GOOD]})) as server:
        reply = proposed(model="openai:first", fallback_model="openai:second")
    assert asked(server) == ["first", "second"]
    assert reply.calls == 2
    assert reply.told == {"role": "reasoner", "model": "openai:second", "fell_back": True}


def test_the_statistical_mind_may_be_the_fallback():
    with served([status(503, {"Retry-After": "3600"})]) as server:
        reply = proposed(model=MODEL, fallback_model="statistical")
    assert len(server.requests) == 1
    assert reply.told["model"] == "statistical"


@pytest.mark.parametrize("code", [400, 401, 403, 404])
def test_a_service_that_refuses_is_there_and_no_other_is_asked(code):
    with served([status(code)]) as server, pytest.raises(ProviderError) as failed:
        proposed(model="openai:first", fallback_model="openai:second")
    assert failed.value.status == code
    assert asked(server) == ["first"]


@pytest.mark.parametrize(
    ("bad", "error"),
    [(text("lorem"), ModelOutputError), (refusal(), Declined), (finish("content_filter"), Declined)],
)
def test_bad_answers_and_refusals_are_no_reason_to_fall_back(bad, error):
    with served(lambda body: bad) as server, pytest.raises(error):
        proposed(model="openai:first", fallback_model="openai:second")
    assert set(asked(server)) == {"first"}


def test_nor_is_the_budget_which_the_fallback_counts_against():
    with served([status(503, {"Retry-After": "3600"})]) as server, pytest.raises(BudgetExceeded):
        proposed(model="openai:first", fallback_model="openai:second", max_calls=1)
    assert asked(server) == ["first"]


def test_a_fallback_that_stays_away_too_is_the_end():
    gone = status(503, {"Retry-After": "3600"})
    with served([gone, gone]) as server, pytest.raises(ProviderError):
        proposed(model="openai:first", fallback_model="openai:second")
    assert asked(server) == ["first", "second"]


def test_a_fallback_beyond_what_is_near_is_never_asked(monkeypatch, away):
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://hospital.openai.azure.com/")
    with ModelServer([status(503, {"Retry-After": "3600"})]) as server, pytest.raises(InputError):
        proposed(model=MODEL, base_url=server.url, fallback_model="azure_openai:gpt", local_only=True)


def test_a_service_that_stayed_away_is_not_waited_for_again():
    gone = {"role": "reader", "model": "openai:second", "fell_back": True}
    with served(by_model({"second": [GOOD]})) as server:
        reply = ask(
            amendment_case(EDGE),
            Hypothesis,
            Settings(model="openai:first", fallback_model="openai:second"),
            admit=lambda answer: answer,
            used=Used.of({"answered": [gone]}),
        )
    assert asked(server) == ["second"]
    assert reply.told == gone | {"role": "reasoner"}


def test_another_service_than_that_which_stayed_away_is_asked():
    chosen = Settings(model="openai:first", reader_model="openai:gone", fallback_model="openai:second")
    used = Used(fell_back=("reader",))
    with served(by_model({"first": [GOOD]})) as server:
        ask(amendment_case(EDGE), Hypothesis, chosen, admit=lambda answer: answer, used=used)
    assert asked(server) == ["first"]


def test_a_whole_run_waits_once_for_a_service_that_stays_away():
    away = status(503, {"Retry-After": "3600"})
    with served(lambda _: away) as server:
        graph.invoke(
            {"history": [["401.9", "250.00"]]},
            context=DiagnosisContext(model=MODEL, fallback_model="statistical", resamples=0),
        )
    assert len(server.requests) == 1


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "all_proxy"])
def test_another_provider_s_client_must_not_stay_near_by_a_proxy(variable, monkeypatch):
    told = {"base_url": "http://127.0.0.1:11434"}
    monkeypatch.setattr("langchain.chat_models.init_chat_model", lambda *_, **__: Elsewhere(**told))
    monkeypatch.setenv(variable, "http://proxy.example.org:3128")
    chosen = Settings(model="ollama:llama", local_only=True)
    with pytest.raises(InputError, match="NO_PROXY") as refused:
        require_admissible(chosen)
    assert "nothing was sent" in str(refused.value)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert require_admissible(chosen)
