"""Pages: what they have, where it stands, and that nothing is loaded or runs but their own program."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from dataclasses import replace
from urllib.parse import quote
from xml.etree import ElementTree

import pytest
from pages import many, waiting
from samples import CHANGES, EMPTY, LOGIN, PLAN, PROBLEMS, REPORT, URL, at, body, change, changed, excerpt, new, plan_of

from reconciler.apply.report import ItemError, Outcome, Report, Result
from reconciler.errors import Location
from reconciler.model.address import Address
from reconciler.plan.operations import Create, Delete, FieldChange, Plan, Update, Warned
from reconciler.render import graph, html, html_diff, html_page
from reconciler.render.html_items import anchor

PAGES = {
    "plan": html.plan(PLAN),
    "no changes": html.plan(EMPTY),
    "report": html.results(REPORT),
    "problems": html.problems(PROBLEMS, excerpt),
    "rest": html.rest(PROBLEMS, excerpt, PLAN),
    "large": html.plan(many(200)),
}


AMY = Address("user", "amy")


def headings(page: str) -> list[str]:
    """The headings of the groups of a page."""
    return re.findall("<h2>(.*?)</h2>", page)


def keys(page: str) -> list[str]:
    """The keys on a page, in order."""
    return re.findall('<span class="key">(.*?)</span>', page)


# -- safety ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAGES)
def test_only_the_own_program_and_style_run(name: str) -> None:
    """The policy forbids everything but one script and one style sheet, by their hashes."""
    page = PAGES[name]
    (policy,) = re.findall('http-equiv="Content-Security-Policy" content="(.*?)"', page)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules.pop("default-src") == "'none'"
    for tag, rule in (("script", "script-src"), ("style", "style-src")):
        (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.S)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules.pop(rule) == f"'sha256-{digest}'"
    assert rules == {"base-uri": "'none'", "form-action": "'none'"}
    assert page.index("Content-Security-Policy") < page.index("<style>") < page.index("<script>")


def test_the_program_and_the_style_are_plain_ascii() -> None:
    """On a terminal of another encoding, other characters would become escapes, and the hashes wrong."""
    assert html_page.script().isascii()
    assert html_page.style().isascii()


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_loaded(name: str) -> None:
    """No element of a page has an address to load something from, and no attribute is code or style."""
    shown = body(PAGES[name])
    assert not re.search(r"<(?:script|link|img|iframe|object|embed|base|form|style|meta)\b", shown)
    assert not re.search(r"\s(?:src|srcset|style|action|formaction|background|poster|ping|on\w+)=", shown)
    assert not re.search(r"url\((?!#)|@import", PAGES[name])


@pytest.mark.parametrize("name", PAGES)
def test_no_two_objects_have_the_same_anchor(name: str) -> None:
    """Each anchor is on the page once, and each link inside the page leads to one."""
    anchors = re.findall(r'\sid="(.*?)"', PAGES[name])
    assert len(set(anchors)) == len(anchors)
    assert set(re.findall('href="#(.*?)"', PAGES[name])) <= {*anchors}


def test_a_url_of_another_scheme_is_no_link() -> None:
    """The configuration could have a URL that runs."""
    page = html.plan(replace(PLAN, url="javascript:alert(1)"))
    assert "javascript:" in page
    assert 'href="javascript:' not in page


# -- plans -----------------------------------------------------------------------------------------------------


def test_deletions_are_first() -> None:
    """Then come kinds outside projects, then each project; inside, the order is that of kinds."""
    page = html.plan(PLAN)
    assert headings(page) == ["Deletions", "Users", "Project web-shop"]
    assert keys(page) == [
        *("web-shop/Old", "web-shop/Older"),
        "jsmith",
        *("web-shop", "web-shop/0.9", "web-shop/1.0", "web-shop/login"),
    ]


def test_what_goes_along_stands_out() -> None:
    """The reason of a deletion says what is lost with it."""
    plan = plan_of(waiting(Delete, Address("wiki_page", "shop/Start"), None, reason="also deletes its history"))
    assert '<p class="reason lost">also deletes its history</p>' in html.plan(plan)


def test_a_pruned_user_is_among_the_deletions() -> None:
    """What no manifest declares is removed, although that is a change."""
    user = replace(
        change(Update, Address("user", "amy"), 5, at(1), (changed("status", "active", "locked"),)), undeclared=True
    )
    assert headings(html.plan(plan_of(user))) == ["Deletions and locked users"]


def test_counts_by_kind_and_action() -> None:
    """Every number that is not 0 is a button that says what it counts."""
    counts = re.findall('aria-label="(.*?: .*?)"', html.plan(PLAN))
    assert counts == [
        "user + create: 1",
        "project ~ change: 1",
        "version + create: 1",
        "version ~ change: 1",
        "issue_category - delete: 2",
        "issue ~ change: 1",
    ]


def test_live_objects_are_links() -> None:
    """An object with an id leads to its page in Redmine, and so does a project that exists."""
    page = html.plan(PLAN)
    assert f'<a href="{URL}/issues/123">#123</a>' in page
    assert f'<a href="{URL}/issue_categories/8/edit">#8</a>' in page
    assert f'<a href="{URL}/projects/web-shop">Open in Redmine</a>' in page
    new_project = html.plan(plan_of(change(Create, Address("project", "new"), None, at(1), new(name="New"))))
    assert URL + "/projects" not in new_project


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("shop/login", "issue/shop/login"),
        ("shop/#123", "issue/shop/#123"),
        ("shop/Login fails", "issue/shop/Login%20fails"),
        ("shop/Küche", "issue/shop/K%C3%BCche"),
        ('shop/"><x', "issue/shop/%22%3E%3Cx"),
        ("shop/100%", "issue/shop/100%25"),
        ("shop/\ud800", "issue/shop/?"),
    ],
)
def test_anchors_are_what_a_browser_makes_of_kind_and_key(key: str, name: str) -> None:
    """`#kind/key` after the address of the page leads to the object."""
    assert anchor(Address("issue", key)) == name


def test_warnings_stand_out() -> None:
    """A warning is not just one more sentence, and is said once."""
    warned = replace(PLAN, warnings=(Warned(LOGIN, at(40), "done_ratio is computed"),))
    page = html.plan(warned)
    assert page.count("done_ratio is computed") == 1
    assert '<p class="say warn">Warning: examples/shop.yaml:40' in page


def test_a_value_from_an_overlay_shows_its_place() -> None:
    """A field that another file sets than the one of the object says which."""
    there = FieldChange("status", "open", "locked", Location("staging.yaml", 7, 3))
    page = html.plan(plan_of(change(Update, Address("version", "shop/1.0"), 7, at(1), (there,))))
    assert '<th scope="row">status<small class="place">staging.yaml:7</small></th>' in page


def test_few_changes_are_unfolded() -> None:
    """A small plan is read from top to bottom; of a large one, only the deletions are unfolded."""
    assert body(html.plan(PLAN)).count('<details class="item"') == body(html.plan(PLAN)).count(" open>")
    large = re.findall('<details class="item".*?data-column="(\\w+)"( open)?>', html.plan(many(200)))
    assert {column for column, unfolded in large if unfolded} == {"delete"}


def gists(page: str) -> list[str]:
    """What the folded objects of a page say in one line."""
    return re.findall('<span class="gist">(.*?)</span>', page)


def test_a_folded_object_says_what_is_done_to_it() -> None:
    """Old and new value of short fields, the names of long ones, and how many there are beyond three."""
    fields = (
        changed("status", "New", "Closed"),
        changed("description", "one\ntwo", "one\nthree"),
        changed("due_date", "2026-12-01", None),
        changed("done_ratio", 0, 100),
        changed("is_private", False, True),
    )
    page = html.plan(plan_of(change(Update, LOGIN, 5, at(1), fields)))
    assert gists(page) == ["status New → Closed · description · due_date 2026-12-01 → (none) · 2 more"]


def test_a_folded_new_object_does_not_say_its_key_again() -> None:
    """The subject of an issue whose key it is not, but no field that says what the key says; long values are cut."""
    fields = new(project="web-shop", subject="Login fails", tracker="Bug", homepage="x" * 90)
    page = html.plan(plan_of(change(Create, LOGIN, None, at(1), fields)))
    assert gists(page) == [f"subject Login fails · tracker Bug · homepage {'x' * 59}…"]
    version = change(Create, Address("version", "shop/1.0"), None, at(1), new(name="1.0"))
    assert gists(html.plan(plan_of(version))) == []


def test_what_a_reason_names_as_code_is_code() -> None:
    """As in all sentences of a page: reasons, errors and notes, which never become anything but text otherwise."""
    deleted = waiting(Delete, Address("user", "amy"), 5, reason="assigns <b> to Anonymous (`status: locked` keeps it)")
    assert "assigns &lt;b&gt; to Anonymous (<code>status: locked</code> keeps it)" in html.plan(plan_of(deleted))
    result = Result(deleted, "failed", 5, (ItemError("see `log/production.log`"),), None, ("try `plan`",))
    page = html.results(Report(plan_of(deleted), (result,), 1))
    assert "see <code>log/production.log</code>" in page
    assert "note: try <code>plan</code>" in page


def test_the_same_plan_is_the_same_page() -> None:
    """A plan is pure data: no time is on its page, and the order of its changes does not matter."""
    assert html.plan(PLAN) == html.plan(PLAN)
    assert body(html.plan(plan_of(*CHANGES[::-1], unchanged=42))) == body(html.plan(PLAN))


def test_a_new_text_is_there_completely() -> None:
    """Where the terminal shows 20 lines, the page has all of them, folded."""
    text = "\n".join(f"line {n}" for n in range(100))
    page = html.plan(plan_of(change(Create, LOGIN, None, at(1), new(description=text))))
    assert "<summary>100 lines added</summary>" in page
    assert "+line 99\n" in page


@pytest.mark.parametrize(
    ("lines", "marked"),
    [
        (["-due 5", "+due 6"], ["5", "6"]),
        (["-a b c d", "+a b x c d"], ["x "]),
        (["-same  ", "+same"], ["  "]),
        (["-one", "+two"], []),
        (["-one line", "-two line", "+one lines"], ["s"]),
        (["-" + "x" * 5000 + "a", "+" + "x" * 5000 + "b"], []),
    ],
)
def test_what_differs_in_a_line_is_marked(lines: list[str], marked: list[str]) -> None:
    """A removed line and the added one in its place show their difference, if they have something in common."""
    made = html_diff.diff(lines)
    assert re.findall("<b>(.*?)</b>", made) == marked
    assert re.sub("<.*?>", "", made).splitlines() == lines


def test_a_large_plan_takes_seconds() -> None:
    """3,000 changes are a page of a few MB, of which the drawing is a small part."""
    plan = many(3000)
    began = time.process_time()
    page = html.plan(plan)
    assert time.process_time() - began < 10
    assert len(page) < 5_000_000
    assert page.count("<rect") < 500


# -- the drawing -----------------------------------------------------------------------------------------------


def chain(projects: int) -> Plan:
    """In each project a version and twenty issues, of which each waits for the one before."""
    changes = []
    for name in (f"p{n}" for n in range(projects)):
        steps = [Address("version", f"{name}/1.0"), *(Address("issue", f"{name}/{n}") for n in range(20))]
        before: list[Address] = []
        for step in steps:
            changes.append(waiting(Create, step, None, after=before))
            before = [step]
    return plan_of(*changes)


def boxes(page: str) -> list[str]:
    """The texts of the boxes of the drawing: the small one and the large one."""
    return [
        " ".join(texts)
        for texts in re.findall(r"<g[^>]*>.*?<title>.*?</title>.*?<text.*?>(.*?)</text><text.*?>(.*?)</text>", page)
    ]


def test_a_plan_without_order_has_no_drawing() -> None:
    """Nor has a report of such a plan one, nor problems."""
    assert all('id="dependencies"' not in PAGES[name] for name in ("plan", "no changes", "report", "problems"))


def test_a_small_plan_is_drawn_object_by_object() -> None:
    """Each box leads to its object."""
    page = html.plan(chain(1))
    assert len(boxes(page)) == 21
    assert '<a href="#issue/p0/7">' in page.partition('<svg class="graph"')[2]


def test_objects_between_the_same_others_share_a_box() -> None:
    """Many issues of one version are one box, with the number of them by action."""
    page = html.plan(many(100, projects=1))
    assert boxes(page) == ["p0 98 issues  +80 ~9 -9", "project p0", "version p0/1.0"]
    assert "share a box" in page


@pytest.mark.parametrize(("projects", "number"), [(3, 6), (40, 2)])
def test_a_large_plan_is_drawn_by_project_and_kind(projects: int, number: int) -> None:
    """Beyond what a person can read, all objects of a kind in a project share a box; then all of a kind."""
    assert len(boxes(html.plan(chain(projects)))) == number


def test_what_waits_for_nothing_is_counted() -> None:
    """Objects without an order are not drawn."""
    lone = waiting(Create, Address("user", "amy"), None)
    assert "Not drawn: 1 that waits for no other." in html.plan(plan_of(*chain(1).changes, lone))


# -- reports ---------------------------------------------------------------------------------------------------


def test_errors_are_first() -> None:
    """A report begins with what failed; each outcome has its heading, which counts it."""
    assert headings(PAGES["report"]) == [
        "Failed: 1",
        "Unknown: 1",
        "Skipped: 1",
        "Not started: 1",
        "Done: 1 created, 2 changed",
        "Users",
        "Project web-shop",
    ]


def everything(outcome: Outcome = "done", **others: Outcome) -> Report:
    """A report in which all changes of a chain and a deletion end alike, but those of these keys in the project."""
    plan = plan_of(*chain(1).changes, waiting(Delete, Address("version", "p0/old"), 4), waiting(Create, AMY, None))
    results = [Result(one, others.get(one.address.own_name, outcome), 7) for one in plan.changes]
    return Report(plan, tuple(results), 30)


def test_what_is_done_is_grouped_as_a_plan_is() -> None:
    """Deletions first, then kinds outside projects, then each project, with a link to it."""
    page = html.results(everything())
    assert headings(page)[:4] == ["Done: 22 created, 1 deleted", "Deletions", "Users", "Project p0"]
    assert f'<a href="{URL}/projects/p0">Open in Redmine</a>' in page
    assert html.results(everything("failed")).count("Open in Redmine") == 0


def test_a_report_counts_what_is_done_by_action() -> None:
    """Its columns are the other outcomes, and what was done: created, changed, deleted."""
    counts = re.findall('aria-label="(.*?: .*?)"', html.results(everything(**{"1.0": "failed", "0": "skipped"})))
    assert counts == [
        "user + created: 1",
        "version failed: 1",
        "version - deleted: 1",
        "issue skipped: 1",
        "issue + created: 19",
    ]


def test_many_skipped_objects_are_folded_and_say_why() -> None:
    """One failure can skip thousands: what failed must not drown among them. A few are unfolded."""
    for number, plan in ((60, many(60, 2)), (12, many(12, 2))):
        results = tuple(Result(one, "skipped", because="user `amy` failed") for one in plan.changes)
        page = html.results(Report(plan, results, 3))
        assert gists(page) == ["because user `amy` failed"] * number
        assert body(page).count(" open><summary>") == (number if number == 12 else 0)


def test_a_report_draws_what_came_of_each_change() -> None:
    """In the colors of the outcomes: so it shows what was skipped because of what failed. Each link leads to something."""
    page = html.results(everything(**{"1.0": "failed", "0": "skipped"}))
    drawing = page.partition('<svg class="graph"')[2]
    styles = dict(zip(boxes(page), re.findall(r'<g class="(\w+)"', drawing), strict=True))
    assert [styles[name] for name in ("version p0/1.0", "issue p0/0", "issue p0/1")] == ["del", "note", "add"]
    crowded = Report(many(200), tuple(Result(one, "skipped") for one in many(200).changes), 3)
    page = html.results(crowded)
    assert "18 issues  18 skipped" in boxes(page)[0]
    assert {*re.findall('href="#(.*?)"', page)} <= {*re.findall(r'\sid="(.*?)"', page)}


def test_an_error_shows_the_fields_that_were_to_be_written() -> None:
    """With its message and the place of the field, so that nobody has to look for the plan."""
    failed = PAGES["report"].partition('id="failed"')[2].partition("</section>")[0]
    assert '<p class="error">Due date is invalid <span class="place">examples/shop.yaml:26</span></p>' in failed
    assert '<th scope="row">due_date</th><td>2026-12-01</td>' in failed


def test_a_created_object_is_a_link_and_a_deleted_one_is_none() -> None:
    """The page of what is gone would be an error."""
    made = waiting(Create, Address("version", "shop/1"), None)
    gone = waiting(Delete, Address("version", "shop/2"), 8)
    page = html.results(Report(plan_of(made, gone), (Result(made, "done", 7), Result(gone, "done", 8)), 3))
    assert f"{URL}/versions/7" in page
    assert f"{URL}/versions/8" not in page


# -- problems --------------------------------------------------------------------------------------------------


def test_problems_stand_with_their_file() -> None:
    """A group for each file, each problem with the lines that it is about and what to do."""
    page = PAGES["problems"]
    assert headings(page) == ["examples/shop.yaml", "empty.yaml"]
    assert page.count('<pre class="excerpt"') == 3
    assert "did you mean &quot;name&quot;?" in page


def test_problems_come_before_the_plan_of_the_rest() -> None:
    """Both are on the page, and the counts have a column for problems."""
    page = PAGES["rest"]
    assert headings(page)[:4] == [
        "examples/shop.yaml",
        "empty.yaml",
        "Plan: 2 to create, 3 to change, 2 to delete, 42 unchanged.",
        "Deletions",
    ]
    assert "version ! problem: 1" in page
    assert "<code>apply --keep-going</code>" in page


# -- graph --format svg ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "nasty", ["<script>alert(1)</script>", '"/><a href="javascript:x">', "]]>", "\ufffe\x00\x1b", "\u202e"]
)
def test_a_drawing_is_xml_with_the_text_of_any_key(nasty: str) -> None:
    """A hostile key is the text of its box, and adds no element."""
    drawing = graph.svg([(Address("issue", f"p/{nasty}"), LOGIN)])
    elements = [one.tag.rpartition("}")[2] for one in ElementTree.fromstring(drawing).iter()]
    own = [
        one.tag.rpartition("}")[2]
        for one in ElementTree.fromstring(graph.svg([(Address("issue", "p/x"), LOGIN)])).iter()
    ]
    assert elements == own
    assert "script" not in elements


def test_a_long_key_is_shortened_in_the_middle() -> None:
    """Its beginning and end are shown, the whole is in the tooltip; wide characters count twice."""
    key = "shop/" + "a" * 60 + "/end"
    drawing = graph.svg([], [Address("issue", key), Address("issue", "店/" + "長" * 40)])
    assert f"<title>issue {key}</title>" in drawing
    assert re.search(r">shop/a+…a+/end<", drawing)
    assert max(int(width) for width in re.findall(r'<rect width="(\d+)', drawing)) < 300


def test_the_order_of_edges_does_not_change_a_drawing() -> None:
    """The same manifests are the same file."""
    edges = [(Address("project", "p"), Address("issue", f"p/{n}")) for n in range(20)]
    assert graph.svg(edges) == graph.svg(reversed(edges))


def test_the_anchor_of_a_group_is_no_objects() -> None:
    """A project called like a kind does not take the anchor of an object."""
    for address in (Address("user", "kind:user"), Address("project", "kind")):
        assert ":" not in quote(anchor(address).partition("/")[0])
