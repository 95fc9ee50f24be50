"""The report in a real browser: complete, silent on the network, readable on a phone, harmless."""

import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal, NamedTuple

import pytest

from tests.reporting.example import example, hostile, refused
from tools.reporting.html import write
from tools.reporting.result import DiagnosisResult

playwright = pytest.importorskip("playwright.sync_api", reason="the browser tests need the extra `dev`")
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    """Chromium with a profile of its own that is removed afterwards."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if executable is None:
        pytest.skip("no Chromium on this machine; install the package `chromium` to run this test")
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=executable, args=list(ARGUMENTS))
        yield launched
        launched.close()


class Visit(NamedTuple):
    """An open page with every request it made and everything its console said."""

    page: playwright.Page
    requests: list[str]
    console: list[str]


class Opener:
    """Opens pages in fresh contexts and closes them at the end of the test."""

    def __init__(self, browser: playwright.Browser, folder: Path) -> None:
        self.browser, self.folder = browser, folder
        self.contexts: list[playwright.BrowserContext] = []

    def show(
        self, result: DiagnosisResult, width: int = 1200, scheme: Literal["light", "dark"] = "light"
    ) -> Visit:
        path = self.folder / "report.html"
        write(result, path)
        return self.open(path, width, scheme)

    def open(self, path: Path, width: int = 1200, scheme: Literal["light", "dark"] = "light") -> Visit:
        context = self.browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.contexts.append(context)
        page = context.new_page()
        visit = Visit(page, [], [])
        context.on("request", lambda request: visit.requests.append(request.url))
        page.on("console", lambda message: visit.console.append(message.text))
        page.on("pageerror", lambda error: visit.console.append(str(error)))
        page.on("dialog", lambda dialog: (visit.console.append(dialog.message), dialog.dismiss()))
        page.goto(path.as_uri(), wait_until="networkidle")
        return visit


@pytest.fixture
def opener(browser: playwright.Browser, tmp_path: Path) -> Iterator[Opener]:
    made = Opener(browser, tmp_path)
    yield made
    for context in made.contexts:
        context.close()


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    """The address of a web server on loopback, and the paths that were asked of it."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def overflow(page: playwright.Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_report_is_complete_and_asks_nothing_of_anyone(
    opener: Opener, tmp_path: Path, scheme: Literal["light", "dark"]
) -> None:
    page, requests, console = opener.show(example(), scheme=scheme)
    assert [url for url in requests if url != "data:,"] == [(tmp_path / "report.html").as_uri()]
    assert console == []
    assert page.locator("tr.prediction:visible").count() == 10
    assert page.locator("tr.edge-row:visible").count() == 35
    assert page.locator("li.passage:visible").count() == 5
    graph = page.locator("svg.causal-graph")
    assert graph.is_visible()
    assert graph.locator("g.node").count() == 25
    assert graph.locator("g.edge").count() == 35
    assert page.locator("svg.score-chart polyline").count() == 2
    assert page.locator("tr.candidate-row:visible").count() == 0
    page.locator("#candidates summary").click()
    assert page.locator("tr.candidate-row:visible").count() == 27


@pytest.mark.parametrize("width", [360, 400, 761, 900, 901, 1200])
def test_nothing_runs_off_the_side(opener: Opener, width: int) -> None:
    for result in (example(), hostile("x" * 300), refused()):
        page = opener.show(result, width).page
        page.locator("summary").evaluate_all("all => all.forEach(one => one.click())")
        assert overflow(page) == 0


def test_names_in_the_picture_stay_in_their_boxes(opener: Opener) -> None:
    page = opener.show(example()).page
    assert page.locator("svg .node text").count() > 50
    spilled = page.evaluate(
        """() => [...document.querySelectorAll('svg .node')].filter(node => {
            const box = node.querySelector('.box').getBoundingClientRect()
            return [...node.querySelectorAll('text')].some(text => {
                const t = text.getBoundingClientRect()
                return t.left < box.left || t.right > box.right || t.top < box.top || t.bottom > box.bottom
            })
        }).length"""
    )
    assert spilled == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(opener: Opener, scheme: Literal["light", "dark"]) -> None:
    page = opener.show(example(), scheme=scheme).page
    lowest = page.evaluate(
        """() => {
            const rgb = colour => colour.match(/[\\d.]+/g).map(Number)
            const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
                .map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
                .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0)
            const ground = element => {
                for (; element; element = element.parentElement) {
                    const colour = rgb(getComputedStyle(element).backgroundColor)
                    if (colour.length === 3 || colour[3] === 1) return colour
                }
            }
            const ratios = [...document.querySelectorAll('h1, h2, p, td, th, li, a, span, mark, dt, dd')]
                .filter(element => element.innerText.trim())
                .map(element => [light(rgb(getComputedStyle(element).color)), light(ground(element))])
                .map(([a, b]) => (Math.max(a, b) + .05) / (Math.min(a, b) + .05))
            return Math.min(...ratios)
        }"""
    )
    assert lowest >= 4.5


def attack(address: str) -> str:
    return (
        f"<script>fetch('{address}/s');alert(1)</script><img src='{address}/i' onerror='alert(2)'>"
        f"![picture]({address}/m) [link](javascript:alert(3)) <a href='javascript:alert(4)'>a</a>"
        f"<svg onload=alert(5)><style>@import '{address}/c'</style></svg></style></title>"
        f'\x1b[31mred\x1b[0m\x1b]8;;{address}/o\x07osc\x1b]8;;\x07 {{{{ 7 * 7 }}}} =HYPERLINK("{address}/f")'
    )


def test_what_a_model_or_document_wrote_shows_as_text_and_fetches_nothing(
    opener: Opener, listener: tuple[str, list[str]], tmp_path: Path
) -> None:
    address, asked = listener
    page, requests, console = opener.show(hostile(attack(address)))
    assert [url for url in requests if url != "data:,"] == [(tmp_path / "report.html").as_uri()]
    assert console == []
    assert asked == []
    reason = page.locator("tr.prediction .why p").first.inner_text()
    for shown in (
        "<script>fetch(",
        "<img src=",
        "![picture](",
        "[link](javascript:",
        "redosc",
        "{{ 7 * 7 }}",
    ):
        assert shown in reason
    assert "\x1b" not in page.content()
    assert page.locator("main :is(script, img, iframe)").count() == 0
    assert page.locator("a:not([href^='#'])").count() == 0


def test_the_listener_would_have_heard_a_page_that_does_not_escape(
    opener: Opener, listener: tuple[str, list[str]], tmp_path: Path
) -> None:
    address, asked = listener
    careless = tmp_path / "careless.html"
    careless.write_text(f"<!DOCTYPE html><title>x</title>{attack(address)}", encoding="utf-8")
    _, requests, console = opener.open(careless)
    assert "/i" in asked
    assert f"{address}/i" in requests
    assert console


def test_a_refusal_is_seen_first(opener: Opener) -> None:
    page = opener.show(refused()).page
    box = page.locator("#refusal").bounding_box()
    assert box
    assert box["y"] + box["height"] < 500
    assert page.locator("svg").count() == 0
