"""Records that their owners give out under an agreement, such as PhysioNet's: not for third parties."""

_UNDER_AGREEMENT = {"mimic3", "mimic4"}
_DEMO_PATIENTS = 1_000  # the open demos of MIMIC have 100 patients, the whole ones tens of thousands


def is_credentialed(said: bool | None, source: str, n_patients: int) -> bool:
    """Whether records are credentialed: as it is said, else by a guess.

    Args:
        said: by who fits them; None to guess.
        source: the format they came in.
        n_patients: in the records.

    Returns:
        When guessed, whether they are MIMIC-III or MIMIC-IV and larger than their demos.
    """
    return source in _UNDER_AGREEMENT and n_patients > _DEMO_PATIENTS if said is None else said
