"""Codes of diagnoses: one spelling inside (upper case, no dot), the dotted one for people."""

import re

ICD9CM = "ICD9CM"
ICD10CM = "ICD10CM"
SNOMED = "SNOMED"

_SYSTEM_SPELLINGS = {
    ICD9CM: (
        *("9", "9CM", "ICD9", "ICD9CM", "ICD09", "ICD9DX", "HTTPHL7ORGFHIRSIDICD9CM"),
        *("HTTPHL7ORGFHIRSIDICD9CMDIAGNOSIS", "URNOID21684011138836103"),
        "HTTPMIMICMITEDUFHIRMIMICCODESYSTEMMIMICDIAGNOSISICD9",
    ),
    ICD10CM: (
        *("10", "10CM", "ICD10", "ICD10CM", "ICD10DX", "HTTPHL7ORGFHIRSIDICD10CM"),
        *("URNOID2168401113883690", "HTTPMIMICMITEDUFHIRMIMICCODESYSTEMMIMICDIAGNOSISICD10"),
    ),
    SNOMED: ("SNOMED", "SNOMEDCT", "HTTPSNOMEDINFOSCT", "HTTPSSNOMEDINFOSCT", "URNOID2168401113883696"),
}
_SYSTEMS = {spelling: system for system, spellings in _SYSTEM_SPELLINGS.items() for spelling in spellings}
_SHAPES = {
    ICD9CM: re.compile(r"(?:\d{3}\d{0,2}|V\d{2}\d{0,2}|E\d{3}\d?)", re.ASCII),
    ICD10CM: re.compile(r"[A-Z]\d[0-9A-Z]{1,5}", re.ASCII),
}
_DOTTED_SHAPES = {
    ICD9CM: re.compile(r"(?:\d{3}|V\d{2}|E\d{3})(?:\.\d{1,2})?", re.ASCII),
    ICD10CM: re.compile(r"[A-Z]\d[0-9A-Z](?:\.[0-9A-Z]{1,4})?", re.ASCII),
}
_LONGEST_NAME = 64


def system_name(text: str) -> str:
    """The name a code system goes by here.

    Args:
        text: any spelling, such as `9`, `ICD9`, `ICD-9-CM`, `icd10`.

    Returns:
        `ICD9CM`, `ICD10CM` or `SNOMED` for their spellings, FHIR's URIs among them, otherwise the text in
        upper case without outer spaces.
    """
    name = text.strip().upper()
    return _SYSTEMS.get(re.sub(r"[^A-Z0-9]", "", name), name)


def is_system(text: str) -> bool:
    """Whether a text can name a code system: 1 to 64 printable characters, outer spaces apart."""
    return _is_name(text.strip())


def has_shapes(system: str) -> bool:
    """Whether the shape of a system's codes, and published names for them, are known here."""
    return system in _SHAPES


def shape_rule(system: str) -> str:
    """The rule that a spelling breaks when `is_well_spelled` refuses it."""
    if system in _SHAPES:
        return f"not the shape of an {system} code"
    return f"not a code: 1 to {_LONGEST_NAME} printable characters"


def normalise(system: str, text: str) -> str:
    """The dotless form of a code.

    Args:
        system: as `system_name` gives it.
        text: a spelling such as ` 401.9 ` or `e849.0`.

    Returns:
        ICD codes in upper case without dot or outer spaces; leading zeros stay, they are part of the code.
        A code of another system loses its outer spaces only, since dots and case may carry meaning there.
    """
    code = text.strip()
    return code.upper().replace(".", "") if system in _SHAPES else code


def dotted(system: str, code: str) -> str:
    """The code as people write it: `401.9`, `E849.0`, `I50.9`; codes of other systems as they are.

    Args:
        system: as `system_name` gives it.
        code: dotless.
    """
    heading = category(system, code)
    return f"{heading}.{code[len(heading) :]}" if len(code) > len(heading) else code


def category(system: str, code: str) -> str:
    """The heading a code stands under: three characters, four for ICD-9 E codes.

    Args:
        system: as `system_name` gives it.
        code: dotless.

    Returns:
        The heading; the code itself where the system has no such headings.
    """
    if system not in _SHAPES:
        return code
    return code[: 4 if system == ICD9CM and code.startswith("E") else 3]


def is_valid(system: str, code: str) -> bool:
    """Whether a dotless code has the shape of its system; it need not be in any published list.

    Args:
        system: as `system_name` gives it.
        code: dotless. Outside ICD any printable text of 1 to 64 characters will do.
    """
    if system in _SHAPES:
        return _SHAPES[system].fullmatch(code) is not None
    return _is_name(code)


def is_well_spelled(system: str, text: str) -> bool:
    """Whether a spelling, with or without its dot, can be a code of the system.

    Stricter than `is_valid` of the normalised text: a dot must stand where the system puts it.

    Args:
        system: as `system_name` gives it.
        text: as it was written.
    """
    spelling = text.strip().upper()
    if system in _DOTTED_SHAPES and "." in spelling:
        return _DOTTED_SHAPES[system].fullmatch(spelling) is not None
    return is_valid(system, normalise(system, text))


def _is_name(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_NAME and text.isprintable()
