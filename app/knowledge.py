"""The commands of `iikea knowledge`."""

from pathlib import Path
from typing import Annotated

import typer

from app import curating, looking_up
from app.console import errors_as_exit_codes
from app.fetching import Asked
from app.options import Json, Libraries

knowledge = typer.Typer(
    no_args_is_help=True,
    help="Your own documents in, cited passages out.\n\nA library is a folder: the documents as they were "
    "added, a manifest of them, and an index. `add` makes one; `predict --library FOLDER` reads in it.",
)

Library = Annotated[
    Path, typer.Option("--library", envvar="IIKEA_LIBRARY", help="Folder of the library; made if missing.")
]
Existing = Annotated[Path, typer.Option("--library", envvar="IIKEA_LIBRARY", help="Folder of the library.")]
Licence = Annotated[str, typer.Option("--licence", help="SPDX identifier, or what the publisher calls it.")]
Source = Annotated[str, typer.Option("--source", help="Who published it.")]
Title = Annotated[str, typer.Option("--title", help="What to call it; of a single document.")]
About = Annotated[
    list[str] | None,
    typer.Option(
        "--about", metavar="CODE", help="Code, or its beginning, of the disease it is about; repeatable."
    ),
]
Alias = Annotated[
    list[str] | None,
    typer.Option("--alias", metavar="NAME", help="A way that disease is written in text; repeatable."),
]
Expires = Annotated[
    str | None, typer.Option("--expires", metavar="YYYY-MM-DD", help="Last day on which it is retrieved.")
]
By = Annotated[str | None, typer.Option("--by", help="Who adds it. Left out: your user name.")]
Trusted = Annotated[
    bool,
    typer.Option(
        "--trusted",
        help="You vouch for titles and front matter: codes count, and names may stand in prompts. Without it "
        "no word of a document does.",
    ),
]
Checked = Annotated[
    bool,
    typer.Option(
        "--checked",
        help="You have looked at it: note, titles and file names may hold a date, a number or an address.",
    ),
]
Revise = Annotated[bool, typer.Option("--revise", help="Put it in the place of a document of the same id.")]
Wait = Annotated[float, typer.Option("--wait", min=0, help="Seconds to wait for another writer.")]
Retrieval = Annotated[
    str | None,
    typer.Option("--retrieval", metavar="NAME", help="lexical, dense or hybrid (needs no rebuild)."),
]


@knowledge.command("add")
def add(
    documents: Annotated[
        list[Path],
        typer.Argument(metavar="DOCUMENT...", help="Files, or folders of them: .md .html .txt .pdf .docx"),
    ],
    library: Library,
    title: Title = "",
    licence: Licence = "",
    source: Source = "",
    about: About = None,
    alias: Alias = None,
    expires: Expires = None,
    by: By = None,
    trusted: Trusted = False,
    revise: Revise = False,
    checked: Checked = False,
    wait: Wait = 60.0,
    as_json: Json = False,
) -> None:
    """Add documents. Those that the library holds are left alone; an interrupted run is taken up.

    Markdown may begin with front matter (title, codes, aliases, licence, source, url, revision, expires);
    what is given here counts before it. A document that cannot be read is named and left out, the others
    are added, and the exit code is 2.
    """
    with errors_as_exit_codes(as_json):
        said = curating.Said(title, licence, source, about, alias, expires, by, trusted, revise, checked)
        curating.add(documents, library, said, wait, as_json)


@knowledge.command("note")
def note(
    text: Annotated[
        str, typer.Argument(help='One line, such as "In our clinic gout is treated before surgery."')
    ],
    library: Library,
    title: Title = "",
    about: About = None,
    expires: Expires = None,
    by: By = None,
    checked: Checked = False,
    wait: Wait = 60.0,
    as_json: Json = False,
) -> None:
    """Add a one-line note of your own."""
    with errors_as_exit_codes(as_json):
        said = curating.Said(title, about=about, expires=expires, by=by, checked=checked)
        curating.note(text, library, said, wait, as_json)


@knowledge.command("fetch")
def fetch(
    publisher: Annotated[str, typer.Argument(metavar="wikipedia|medlineplus")],
    names: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="Titles of articles, or of health topics (or all).")
    ],
    library: Library,
    contact: Annotated[
        str,
        typer.Option(
            "--contact",
            envvar="IIKEA_CONTACT",
            help="E-mail address or web page at which the publisher reaches you; sent with every request, "
            "and obligatory for one.",
        ),
    ] = "",
    language: Annotated[str, typer.Option("--language", help="Of Wikipedia, such as en or de.")] = "en",
    api: Annotated[
        str | None,
        typer.Option("--api", help="Another MediaWiki, whose host IIKEA_KNOWLEDGE_HOSTS names."),
    ] = None,
    topics: Annotated[
        Path | None,
        typer.Option("--topics", help="MedlinePlus topics XML on this machine; nothing is downloaded."),
    ] = None,
    date: Annotated[
        str | None, typer.Option("--date", metavar="YYYY-MM-DD", help="Edition of the MedlinePlus topics.")
    ] = None,
    revise: Revise = False,
    by: By = None,
    wait: Wait = 60.0,
    as_json: Json = False,
) -> None:
    """Fetch articles of Wikipedia or health topics of MedlinePlus, with revision, licence and attribution.

    Nothing else of this application fetches documents. Only the publishers' own hosts are asked, and those
    that the environment variable IIKEA_KNOWLEDGE_HOSTS names (host or host:port, separated by commas).
    """
    with errors_as_exit_codes(as_json):
        day = curating.admitted_date("date", date)
        asked = Asked(publisher, tuple(names), contact, language, api, topics, day)
        curating.fetch(asked, library, by, revise, wait, as_json)


@knowledge.command("retire")
def retire(
    document: Annotated[str, typer.Argument(help="Id of a document; see `list`.")],
    library: Existing,
    because: Annotated[str, typer.Option("--because", help="Why; kept in the manifest.")],
    results: Annotated[
        Path | None,
        typer.Option("--results", envvar="IIKEA_RESULTS", help="Folder of stored results to look through."),
    ] = None,
    wait: Wait = 60.0,
    as_json: Json = False,
) -> None:
    """Take a document out of retrieval, and list the stored results that cited it. `show` still finds it."""
    with errors_as_exit_codes(as_json):
        curating.retire(document, library, because, results, wait, as_json)


@knowledge.command("rebuild")
def rebuild(
    library: Existing,
    embedding: Annotated[
        str | None,
        typer.Option(
            "--embedding",
            metavar="NAME",
            help="hashed (needs no download), the folder or name of a sentence-transformers model on this "
            "machine, or openai:NAME, which sends every passage and query to that service.",
        ),
    ] = None,
    retrieval: Annotated[
        str | None, typer.Option("--retrieval", metavar="NAME", help="From now on: lexical, dense or hybrid.")
    ] = None,
    server: Annotated[
        str | None,
        typer.Option(
            "--server", metavar="URL", help="Keep the index on this Chroma server; `none`: in the folder."
        ),
    ] = None,
    wait: Wait = 60.0,
    as_json: Json = False,
) -> None:
    """Read every source and make the index anew, with the same ids; with another embedding if named."""
    with errors_as_exit_codes(as_json):
        curating.rebuild(library, embedding, retrieval, server, wait, as_json)


@knowledge.command("list")
def list_documents(library: Libraries = None, as_json: Json = False) -> None:
    """List the documents of libraries: id, title, kind, licence, who added them, whether still retrieved."""
    with errors_as_exit_codes(as_json):
        looking_up.list_documents(library or [], as_json)


@knowledge.command("search")
def search(
    query: Annotated[str, typer.Argument(help="A question, or names of diseases.")],
    library: Libraries = None,
    k: Annotated[int, typer.Option("-k", min=1, max=50, help="Passages.")] = 5,
    retrieval: Retrieval = None,
    as_json: Json = False,
) -> None:
    """Search, and print passages with their scores and where they come from."""
    with errors_as_exit_codes(as_json):
        looking_up.search(query, library or [], k, retrieval, as_json)


@knowledge.command("show")
def show(
    key: Annotated[
        str, typer.Argument(metavar="ID", help="Of a passage or document, retired ones included.")
    ],
    library: Libraries = None,
    as_json: Json = False,
) -> None:
    """Show a passage or a document: the exact words, page, place in the document, source, licence."""
    with errors_as_exit_codes(as_json):
        looking_up.show(key, library or [], as_json)


@knowledge.command("verify")
def verify(library: Existing, as_json: Json = False) -> None:
    """Compare sources, manifest and index; ends with exit code 2 where they differ."""
    with errors_as_exit_codes(as_json):
        looking_up.verify(library, as_json)
