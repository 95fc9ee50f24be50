"""What is kept of texts: as without it, once each, and nothing of a text that is long."""

import pytest

from agents import clauses, findings, naming, reading
from tools.knowledge import screen
from tools.knowledge.cutting import MAX_PASSAGE_CHARS
from tools.knowledge.remembered import MAX_CHARS, remembered

TEXTS = {
    "clauses": (clauses.clauses, lambda text: (text,)),
    "denies": (clauses.denies, lambda text: (text,)),
    "_all_parts": (reading._all_parts, lambda text: (text,)),
    "_pattern": (reading._pattern, lambda text: (("gout", text),)),
    "_is_named": (naming._is_named, lambda text: (text, "gout", ("podagra",))),
    "_is_named by a long name": (naming._is_named, lambda text: ("gout hurts", "gout", ("podagra", text))),
    "_plain_sentences": (findings._plain_sentences, lambda text: (text,)),
    "speaks_to_machines": (screen.speaks_to_machines, lambda text: (text,)),
}


@pytest.mark.parametrize(("n_chars", "calls"), [(MAX_CHARS, 1), (MAX_CHARS + 1, 2)])
@pytest.mark.parametrize("pack", [lambda text: text, lambda text: (text[:9], text[9:])])
def test_a_text_is_worked_out_once_unless_it_is_long(n_chars, calls, pack):
    seen = []

    @remembered(2)
    def length(text):
        """A docstring."""
        seen.append(text)
        return len("".join(text))

    assert [length(pack("a" * n_chars)) for _ in range(2)] == [n_chars] * 2
    assert (len(seen), length.n_kept) == (calls, 2 - calls)
    assert length.__doc__ == "A docstring."


def test_no_more_is_kept_than_was_said():
    upper = remembered(2)(str.upper)
    assert [upper(text) for text in "abca"] == list("ABCA")
    assert upper.n_kept == 2


@pytest.mark.parametrize("name", TEXTS)
def test_what_reads_passages_keeps_nothing_of_a_longer_text(name):
    function, given = TEXTS[name]
    passage = f"{name} causes gout. ".ljust(MAX_PASSAGE_CHARS, "x")
    function._kept.cache_clear()  # other tests of this process may have filled it
    function(*given(passage))
    assert function.n_kept == 1
    function(*given(passage * 3))
    assert function.n_kept == 1
