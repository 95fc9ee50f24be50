"""A patient of a conspicuous name, whose every trace must stay where it belongs."""

from pathlib import Path

NAME, MRN, PHONE, BORN = "Zebediah Canaryman", "MRN-90817263", "555-867-5309", "1950-05-03"
CANARIES = (NAME, "Zebediah", "canaryman", "90817263", "867-5309", "8675309", BORN)
COMMENT = f"{NAME}, {MRN}, born {BORN}, {PHONE}: mostly concerned about the kidneys"
CODES = ("4019", "25000", "5859", "4280")
SMALL = ("--max-iterations", "1", "--resamples", "0", "--top-k", "3")


class Scene:
    """A patient of the name in records, in a document and its file name, and in a checked comment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records = folder / "records.csv"
        rows = [
            f"{NAME} {MRN},{BORN if n == 0 else f'2019-01-0{n}'},{code},ICD9CM"
            for n, code in enumerate(CODES)
        ]
        others = [f"P{p},2019-0{v + 1}-01,{CODES[(p + v) % 4]},ICD9CM" for p in range(30) for v in range(3)]
        self.records.write_text("\n".join(["patient,time,code,system", *rows, *others]) + "\n")
        self.document = folder / f"{NAME} {MRN} {BORN}.md"
        self.document.write_text(
            f"# Letter about {NAME}\n\nHypertension raises the chance of chronic kidney disease. {NAME}, "
            f"{MRN}, {PHONE}, born {BORN}, has diabetes.\n"
        )
        self.store, self.library = folder / "store", folder / "library"

    def commands(self) -> list[tuple[str | Path, ...]]:
        """Records are fitted, the document is added, the patient is predicted for."""
        return [
            ("records", "fit", self.records, "--store", self.store),
            ("knowledge", "add", self.document, "--library", self.library, "--checked"),
            self.predict(),
        ]

    def predict(self, *more: str) -> tuple[str | Path, ...]:
        """The command for the patient."""
        whose = ("--store", self.store, "--records", self.records, "--patient", f"{NAME} {MRN}")
        said = ("--comment", COMMENT, "--comment-checked", "--library", self.library)
        return ("predict", *whose, *said, "--model", "openai:scripted", *SMALL, *more)


def spilled(text: str) -> list[str]:
    """What of the patient stands in a text."""
    lowered = text.lower()
    return [canary for canary in CANARIES if canary.lower() in lowered]
