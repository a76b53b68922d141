"""Pages in a real Chromium, headless: filters, search, folding, without JavaScript, dark, on a phone, on paper, hostile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from chromium import FLAGS, QUIET, path
from pages import many
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from samples import PLAN, PROBLEMS, REPORT, at, change, changed, excerpt, new, plan_of

from reconciler.apply.report import ItemError, Report, Result
from reconciler.errors import Location, Problem
from reconciler.model.address import Address
from reconciler.plan.operations import Change, Create, Delete, Plan, Update
from reconciler.render import graph, html

PAGES: dict[str, Callable[[], str]] = {
    "plan": lambda: html.plan(PLAN),
    "report": lambda: html.results(REPORT),
    "problems": lambda: html.problems(PROBLEMS, excerpt),
    "rest": lambda: html.rest(PROBLEMS, excerpt, PLAN),
    "drawing": lambda: html.plan(many(60, 2)),
}
PHONE = {"width": 360, "height": 740}


# Of the module, not of the session: while it is open, asyncio.run() fails in every other test of the process.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The browser. Fails with a sentence if it is not installed."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path(), args=[*FLAGS, *QUIET])
        yield browser
        browser.close()


class Shown:
    """Opens pages in contexts of the browser, and keeps what must not happen: errors, requests, dialogs."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        self.browser, self.folder = browser, folder
        self.wrong: list[str] = []
        self.contexts: list[BrowserContext] = []

    def __call__(self, text: str, fragment: str = "", name: str = "page.html", **options: Any) -> Page:
        file = self.folder / name
        file.write_text(text, encoding="utf-8")
        url = file.as_uri()
        context = self.browser.new_context(**options)
        self.contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda message: self.wrong.append(message.text))
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("dialog", lambda dialog: self.wrong.append(dialog.message))
        page.on("request", lambda request: self.request(request.url, url))
        page.goto(url + fragment)
        return page

    def request(self, seen: str, own: str) -> None:
        """Note a request that is not for the page itself."""
        if seen.partition("#")[0] != own:
            self.wrong.append(seen)


@pytest.fixture
def show(chromium: Browser, tmp_path: Path) -> Iterator[Shown]:
    """Opens a page. Afterwards: no error on the console, no request but the page itself, no dialog."""
    shown = Shown(chromium, tmp_path)
    yield shown
    for context in shown.contexts:
        context.close()
    assert shown.wrong == []


def visible(page: Page) -> list[str]:
    """The keys of the objects that are shown."""
    return page.locator(".item:visible .key").all_text_contents()


def unfolded(page: Page) -> int:
    """How many objects are unfolded."""
    return page.locator("details.item[open]").count()


# -- filters and search ----------------------------------------------------------------------------------------


def test_a_number_shows_what_it_counts(show: Shown) -> None:
    """A click on a number, an action or a kind shows just these; a second click shows all again."""
    page = show(html.plan(PLAN))
    number = page.get_by_role("button", name="version ~ change: 1")
    number.click()
    assert visible(page) == ["web-shop/0.9"]
    expect(number).to_have_attribute("aria-pressed", "true")
    expect(page.locator("output")).to_have_text("1 of 7 changes shown")
    expect(page.get_by_role("heading", name="Users")).to_be_hidden()
    page.get_by_role("button", name="- delete", exact=True).click()
    assert visible(page) == ["web-shop/Old", "web-shop/Older"]
    expect(number).to_have_attribute("aria-pressed", "false")
    page.get_by_role("button", name="version", exact=True).click()
    assert visible(page) == ["web-shop/0.9", "web-shop/1.0"]
    page.get_by_role("button", name="version", exact=True).click()
    assert len(visible(page)) == 7
    expect(page.locator("output")).to_have_text("")


def test_search_as_you_type(show: Shown) -> None:
    """All words must be in the kind, the key, a field, a value or the place; Escape shows all again."""
    page = show(html.plan(PLAN))
    page.keyboard.press("/")
    page.keyboard.type("VERSION locked")
    expect(page.locator("output")).to_have_text("2 of 7 changes shown")
    assert visible(page) == ["web-shop/0.9", "web-shop/1.0"]
    page.keyboard.press("Escape")
    assert len(visible(page)) == 7
    page.get_by_role("searchbox").fill("shop.yaml:52")
    expect(page.locator("output")).to_have_text("1 of 7 changes shown")
    page.get_by_role("button", name="Show all").click()
    expect(page.get_by_role("searchbox")).to_have_value("")
    assert len(visible(page)) == 7


def test_a_report_is_filtered_by_outcome(show: Shown) -> None:
    """The columns of a report are outcomes, errors first; of what is done, the actions."""
    page = show(html.results(REPORT))
    page.get_by_role("button", name="failed", exact=True).click()
    assert visible(page) == ["web-shop/1.0"]
    page.get_by_role("button", name="+ created", exact=True).click()
    assert visible(page) == ["jsmith"]
    page.get_by_role("button", name="~ changed", exact=True).click()
    assert visible(page) == ["web-shop", "web-shop/0.9"]


def test_a_folded_object_has_its_gist_on_one_line(show: Shown) -> None:
    """On a screen of any width it is cut, not wrapped; unfolded and printed it is not there: the fields are."""
    changes = many(60, 2).changes
    for viewport in (PHONE, {"width": 1200, "height": 800}):
        page = show(html.plan(plan_of(*changes)), viewport=viewport)
        gist = page.locator(".item", has_text="p1/step 9").first.locator(".gist")
        box = gist.bounding_box()
        assert box is not None
        assert box["height"] < 30
        page.get_by_role("button", name="Expand all").click()
        expect(gist).to_be_hidden()
        page.get_by_role("button", name="Collapse all").click()
        page.emulate_media(media="print")
        expect(gist).to_be_hidden()


def test_problems_are_searched_too(show: Shown) -> None:
    """A search in a page of problems and a plan finds both."""
    page = show(html.rest(PROBLEMS, excerpt, PLAN))
    page.get_by_role("searchbox").fill("version 1.0")
    expect(page.locator("output")).to_have_text("4 of 10 entries shown")
    assert visible(page) == ["version web-shop/1.0", "web-shop", "web-shop/1.0", "web-shop/login"]


# -- folding and links -----------------------------------------------------------------------------------------


def test_expand_and_collapse_all(show: Shown) -> None:
    """Both apply to what is shown, with the diffs inside."""
    page = show(html.plan(many(60, 2)))
    page.get_by_role("button", name="issue ~ change: 5").click()
    page.get_by_role("button", name="Expand all").click()
    assert page.locator(".item:visible").count() == 5
    assert page.locator("details.item[open]:visible").count() == 5
    assert (
        page.get_by_text("line twenty-7").count()
        == page.get_by_text("line twenty-7").locator("visible=true").count()
        == 5
    )
    page.get_by_role("button", name="Show all").click()
    page.get_by_role("button", name="Collapse all").click()
    assert unfolded(page) == 0


def test_a_permalink_leads_to_its_object(show: Shown) -> None:
    """`#kind/key` unfolds the object, also by a click on its link, and also if a filter hides it."""
    key = "p1/step 7"
    page = show(html.plan(many(60, 2)), f"#issue/{quote(key)}")
    target = page.locator(".item", has=page.locator(".key", has_text=key)).first
    expect(target).to_have_attribute("open", "")
    expect(target).to_be_in_viewport()
    page.get_by_role("button", name="project", exact=True).click()
    expect(target).to_be_hidden()
    page.evaluate("location.hash = '#version/p1/1.0'")
    other = page.locator('[id="version/p1/1.0"]')
    expect(other).to_have_attribute("open", "")
    expect(other).to_be_in_viewport()
    other.get_by_label("Link to version p1/1.0").click()
    assert page.url.endswith("#version/p1/1.0")


def test_a_key_is_typed_into_the_address(show: Shown) -> None:
    """Umlauts, blanks and quotation marks as a person types them."""
    address = Address("issue", 'shop/Küche "rot" fällt um')
    page = show(html.plan(plan_of(*many(50).changes, change(Create, address, None, at(1), new(subject="x")))))
    page.goto(page.url + f"#{address.kind}/{address.key}")
    target = page.locator(".item:target")
    expect(target).to_have_attribute("open", "")
    expect(target.locator(".key")).to_have_text(address.key)


def test_the_drawing_leads_to_the_objects(show: Shown) -> None:
    """A box of the drawing is a link, also for the keyboard."""
    page = show(html.plan(many(60, 2)))
    page.get_by_text("Order of the changes").first.click()
    box = page.locator("svg a", has_text="version").first
    box.focus()
    page.keyboard.press("Enter")
    expect(page.locator('[id="version/p0/1.0"]')).to_have_attribute("open", "")


def test_the_keyboard_is_enough(show: Shown) -> None:
    """Tab leads through the filters to the objects, Enter unfolds one; the first link skips all that."""
    page = show(html.plan(many(60, 2)))
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    before = unfolded(page)
    page.keyboard.press("Space")
    assert unfolded(page) == before - 1  # the first one is a deletion, which was unfolded


def test_a_screen_reader_finds_its_way(show: Shown) -> None:
    """Landmarks, one heading of the first level, a heading for each object, names for all controls."""
    page = show(html.plan(PLAN))
    for role in ("banner", "search", "main", "contentinfo"):
        expect(page.get_by_role(role)).to_have_count(1)
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    assert page.get_by_role("heading", level=3).count() == 7
    names = page.locator("button, input").evaluate_all("all => all.map(one => one.ariaLabel || one.textContent)")
    assert all(names)
    assert page.evaluate("document.documentElement.lang") == "en"


# -- without JavaScript, dark, phone, paper --------------------------------------------------------------------


def test_without_javascript(show: Shown) -> None:
    """Everything is there and can be unfolded; what needs the program is not shown, or cannot be pressed."""
    page = show(html.plan(many(60, 2)), java_script_enabled=False)
    expect(page.get_by_role("search")).to_be_hidden()
    assert page.locator("button:enabled:visible").count() == 0
    assert page.locator(".item:visible").count() == 60
    item = page.locator(".item", has=page.get_by_text("p1/step 9", exact=True))
    item.locator("summary").first.click()
    item.locator("details.diff summary").click()
    expect(item.get_by_text("+line twenty-7")).to_be_visible()


CONTRAST = """() => {
  const channel = (c) => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const paper = rgb(getComputedStyle(document.body).backgroundColor);
  const behind = (one) => {
    for (let at = one; at; at = at.parentElement) {
      if (at.localName === "text") return rgb(getComputedStyle(at.parentElement.querySelector("rect")).fill);
      const color = rgb(getComputedStyle(at).backgroundColor);
      if (color.length < 4 || color[3] === 1) return color;
    }
    return paper;
  };
  const found = {};
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const one = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || ["SCRIPT", "STYLE", "title"].includes(one.nodeName)) continue;
    const style = getComputedStyle(one);
    const [a, b] = [light(rgb(one.localName === "text" ? style.fill : style.color)), light(behind(one))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found[`${one.nodeName}.${one.className.baseVal ?? one.className} ${walker.currentNode.data.trim()}`] = ratio;
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_every_text_can_be_read(show: Shown, name: str, scheme: Any) -> None:
    """Each text has a contrast of at least 4.5 to what is behind it, on a light and on a dark screen."""
    page = show(PAGES[name](), color_scheme=scheme)
    page.get_by_role("button", name="Expand all").click()
    page.locator("details.drawing").evaluate_all("all => all.forEach(one => one.open = true)")
    red, *_ = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (red < 40) is (scheme == "dark")
    assert page.evaluate(CONTRAST) == {}


@pytest.mark.parametrize("name", PAGES)
def test_a_phone_needs_no_scrolling_to_the_side(show: Shown, name: str) -> None:
    """At 360 pixels the page is as wide as the screen, with everything unfolded."""
    page = show(PAGES[name](), viewport=PHONE)
    page.get_by_role("button", name="Expand all").click()
    page.locator("details.drawing").evaluate_all("all => all.forEach(one => one.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.parametrize("script", [True, False])
def test_paper_has_no_folds(show: Shown, script: bool) -> None:
    """Printed, every object and every diff is unfolded, with and without JavaScript, and there are no controls."""
    page = show(html.plan(many(60, 2)), java_script_enabled=script)
    page.emulate_media(media="print")
    if script:
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.get_by_text("+line twenty-7").count() == 5
    for line in page.get_by_text("+line twenty-7").all():
        assert line.bounding_box() is not None
    expect(page.get_by_role("search")).to_be_hidden()
    if script:
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert unfolded(page) == 5  # the deletions, as before
    assert page.pdf().startswith(b"%PDF")


def test_paper_tells_that_it_is_filtered(show: Shown) -> None:
    """A part of a plan must not be taken for the whole."""
    page = show(html.plan(PLAN))
    page.get_by_role("button", name="user", exact=True).click()
    page.emulate_media(media="print")
    expect(page.get_by_text("1 of 7 changes shown")).to_be_visible()
    expect(page.get_by_role("button", name="Expand all")).to_be_hidden()


# -- hostile texts, large plans, files -------------------------------------------------------------------------

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "</style><style>*{display:none}</style>",
    "</script><script>alert(1)</script>",
    "</title></summary></details><iframe src=//evil.test></iframe>",
    "<svg><a xlink:href='javascript:alert(1)'>x</a></svg>",
    '<meta http-equiv="refresh" content="0;url=//evil.test">',
    "{{7*7}} ${alert(1)} &lt;b&gt;",
    "\u202egnp.exe\u2066 \x1b[2J \x00",
    "--><!--",
)


def hostile() -> tuple[Plan, Report, list[Problem]]:
    """A plan, a report and problems of texts that try to run something."""
    changes: list[Change] = []
    for n, text in enumerate(HOSTILE):
        project = Address("project", f"{text}{n}")
        address = Address("issue", f"{project.key}/{text}")
        fields = (changed("subject", text, text + "!"), changed("description", f"a\n{text}", f"b\n{text}\n{text}"))
        changes.append(change(Update, address, 1, Location(text, 1, 1), fields, reason=text))
        changes.append(change(Delete, project, 2, Location(text, 1, 1), reason=text))
    results = tuple(
        Result(one, "failed", None, (ItemError(text),), text, (text,))
        for one, text in zip(changes, HOSTILE * 2, strict=True)
    )
    problems = [Problem(Location(text, 1, 2), text, text, text, (Location(text, 2, 3),)) for text in HOSTILE]
    return plan_of(*changes), Report(plan_of(*changes), results, 1), problems


@pytest.mark.parametrize("name", ["plan", "report", "problems", "rest"])
def test_no_text_runs_or_loads_anything(show: Shown, name: str) -> None:
    """Whatever subjects, keys, files and messages say, the page shows it as text: nothing runs, nothing is requested."""
    plan, report, problems = hostile()
    pages = {
        "plan": lambda: html.plan(plan),
        "report": lambda: html.results(report),
        "problems": lambda: html.problems(problems, lambda place: f"1 | {place.file}"),
        "rest": lambda: html.rest(problems, lambda place: f"1 | {place.file}", plan),
    }
    page = show(pages[name]())
    page.get_by_role("button", name="Expand all").click()
    for link in page.locator(".item:visible .permalink").all()[:3]:
        link.click()
    page.mouse.move(300, 300)
    assert page.locator("script, style").count() == 2
    assert page.locator("iframe, img, object, embed, base, form, [onerror], [onmouseover]").count() == 0
    links = page.locator("a").evaluate_all("all => all.map(one => one.protocol || one.href.baseVal)")
    assert {link for link in links if not link.startswith("#")} <= {"file:", "https:"}
    assert page.get_by_text("<script>alert(1)</script>").locator("visible=true").count() > 0


# All of it inside the page: what Playwright does itself takes minutes among so many elements.
LARGE = """async () => {
  const said = document.querySelector("output");
  const began = performance.now();
  document.querySelector(".counts td button").click();
  document.body.offsetHeight;
  const took = performance.now() - began;
  const filtered = said.textContent;
  document.getElementById("all").click();
  const search = document.querySelector(".bar input");
  search.value = "p3/step 2713";
  search.dispatchEvent(new Event("input"));
  while (!said.textContent) await new Promise((done) => setTimeout(done, 20));
  return [performance.getEntriesByType("navigation")[0].duration, took, filtered, said.textContent];
}"""


def test_thousands_of_changes(show: Shown) -> None:
    """A page of 3,000 changes opens, filters and searches; to filter it takes a part of the time to open it."""
    opened, took, filtered, found = show(html.plan(many(3000))).evaluate(LARGE)
    assert took < opened
    assert filtered == "10 of 3,000 changes shown"
    assert found == "1 of 3,000 changes shown"


def test_a_drawing_is_a_file_of_its_own(show: Shown) -> None:
    """`graph --format svg` is what a browser shows: a box with a text that fits into it for each object."""
    addresses = [Address("issue", f"shop/{text}") for text in (*HOSTILE, "W" * 60, "漢字" * 20)]
    page = show(graph.svg([(Address("project", "shop"), one) for one in addresses]), name="graph.svg")
    assert page.locator("rect.bar").count() == len(addresses) + 1
    wide = page.locator("g").evaluate_all(
        "all => all.filter(one => one.getBBox().width > one.querySelector('rect').getBBox().width + 1).length"
    )
    assert wide == 0
