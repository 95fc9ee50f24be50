"""A mind never writes a code: what it names is looked up in the case's list, or refused."""

import re
from collections import defaultdict
from collections.abc import Iterable

from tools.safety.errors import InputError


class CodeList:
    """The codes of one case, found by any known spelling (`4019`, `401.9`, `ICD9CM:401.9`).

    Args:
        codes: vocabulary keys.
    """

    def __init__(self, codes: Iterable[str]) -> None:
        self.codes = tuple(codes)
        meant = defaultdict(set)
        for code in self.codes:
            for spelling in _spellings(code):
                meant[spelling].add(code)
        self._by_spelling = {spelling: min(found) for spelling, found in meant.items() if len(found) == 1}

    def resolve(self, place: str, text: str) -> str:
        """The code that a spelling stands for; a listed code always stands for itself.

        Raises:
            InputError: none, or more than one; the message names the place, not the text.
        """
        if text in self.codes:
            return text
        for spelling in _spellings(text):
            if spelling in self._by_spelling:
                return self._by_spelling[spelling]
        raise InputError(place, "not one of the codes of this case; use a listed code exactly")


def _spellings(code: str) -> tuple[str, str]:
    """With and without the code system, in upper case, without dots and spaces."""
    bare = re.sub(r"[\s.]", "", code).upper()
    return bare, bare.rpartition(":")[2]
