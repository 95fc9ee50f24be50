"""Queries with graded relevance, made from the names of diseases that the passages of a library hold."""

import random
import re
from collections import defaultdict
from hashlib import sha256
from itertools import permutations
from typing import NamedTuple

from tools.knowledge.library import KnowledgeLibrary
from tools.knowledge.passage import Entry, Passage
from tools.knowledge.text import sentences

N_LISTS, LIST_LENGTH = 200, 12
ALIAS_SHARE = 0.5
PAIR = (
    "does {a} lead to {b}",
    "can {a} cause {b}?",
    "{b} in a patient with {a}",
    "is {a} a risk factor for {b}",
    "why do people with {a} get {b}",
    "what is the link between {a} and {b}",
    "complications of {a}: {b}",
    "{a} and {b}",
)
LIST = "causes and complications of {names}"
SECTION = {
    "Overview": ("what is {a}",),
    "Causes": ("what causes {a}", "causes of {a}"),
    "Signs and symptoms": ("symptoms of {a}", "how does {a} present"),
    "Diagnosis": ("how is {a} diagnosed", "diagnosis of {a}"),
    "Prevention": ("how to prevent {a}", "prevention of {a}"),
    "Treatment": ("how is {a} treated", "treatment of {a}"),
    "Epidemiology": ("how common is {a}", "epidemiology of {a}"),
}


class Judged(NamedTuple):
    """A query with the passages that answer it.

    Attributes:
        text: as a person, or the product, writes it.
        topic: queries of one topic are not independent: they are drawn again, and held out, together.
        grades: 2 or 1 by passage id; the others are not relevant.
    """

    text: str
    topic: str
    grades: dict[str, int]

    @property
    def is_held_out(self) -> bool:
        """Whether no setting may be chosen on it: about half of the topics."""
        return sha256(self.topic.encode()).digest()[0] % 2 == 1


class Mentions:
    """Which diseases each passage names, as a whole and by sentence.

    A disease is named by the title or an alias of its document, also in the plural, the longest name first; a
    passage and each of its sentences also name the disease that their document is about.
    """

    def __init__(self, library: KnowledgeLibrary) -> None:
        self.passages = tuple(library.passages.values())
        self.entries = {key: entry for key, entry in library.entries.items() if entry.codes}
        self._bearers: dict[str, set[str]] = defaultdict(set)
        for key, entry in self.entries.items():
            for name in (entry.title, *entry.aliases):
                self._bearers[name.lower()].add(key)
        longest_first = sorted(self._bearers, key=lambda name: (-len(name), name))
        self._names = re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, longest_first))})(?:s|es)?(?![\w-])")
        self.by_sentence = [self._of(passage) for passage in self.passages]
        self.whole = [set[str]().union(*named) for named in self.by_sentence]

    def grades(self, diseases: set[str]) -> dict[str, int]:
        """2 for a passage with a sentence that names two of some diseases, 1 for one that does as a whole."""
        found = {}
        for passage, whole, parts in zip(self.passages, self.whole, self.by_sentence, strict=True):
            if len(whole & diseases) > 1:
                found[passage.id] = 1 + any(len(part & diseases) > 1 for part in parts)
        return found

    def _of(self, passage: Passage) -> list[set[str]]:
        about = {passage.doc_id} & self.entries.keys()
        return [
            about.union(*(self._bearers[match[1]] for match in self._names.finditer(sentence.lower())))
            for sentence in sentences(passage.text)
        ]


def judged_queries(library: KnowledgeLibrary, seed: int = 0) -> dict[str, list[Judged]]:
    """Queries by kind.

    Args:
        library: its documents about diseases have codes.
        seed: of the choice of templates, aliases and lists.

    Returns:
        `pairs`: one a pair of diseases, in either order, that some passage names; `lists`: the product's own
        form, twelve diseases at once; `sections`: one disease and what its document says under one heading
        (grade 2; the document's other passages have grade 1).
    """
    mentions, rng = Mentions(library), random.Random(seed)
    return {
        "pairs": _pairs(mentions, rng),
        "lists": _lists(mentions, rng),
        "sections": _sections(mentions, rng),
    }


def _name(entry: Entry, rng: random.Random) -> str:
    by_alias = bool(entry.aliases) and rng.random() < ALIAS_SHARE
    return rng.choice(entry.aliases) if by_alias else entry.title.lower()


def _pairs(mentions: Mentions, rng: random.Random) -> list[Judged]:
    queries = []
    for first, second in permutations(mentions.entries, 2):
        if grades := mentions.grades({first, second}):
            names = {key: _name(mentions.entries[of], rng) for key, of in (("a", first), ("b", second))}
            topic = " ".join(sorted((first, second)))
            queries.append(Judged(rng.choice(PAIR).format(**names), topic, grades))
    return queries


def _lists(mentions: Mentions, rng: random.Random) -> list[Judged]:
    queries = []
    for number in range(N_LISTS):
        chosen = rng.sample(sorted(mentions.entries), LIST_LENGTH)
        names = ", ".join(mentions.entries[key].title for key in chosen)
        queries.append(Judged(LIST.format(names=names), f"list {number}", mentions.grades(set(chosen))))
    return [query for query in queries if query.grades]


def _sections(mentions: Mentions, rng: random.Random) -> list[Judged]:
    queries = []
    for key, entry in mentions.entries.items():
        own = [passage for passage in mentions.passages if passage.doc_id == key]
        for section in dict.fromkeys(p.section for p in own if p.section in SECTION):
            text = rng.choice(SECTION[section]).format(a=_name(entry, rng))
            queries.append(Judged(text, key, {p.id: 1 + (p.section == section) for p in own}))
    return queries
