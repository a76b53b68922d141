"""What people and programs are shown: golden files for every shape, and nothing that breaks out of its format."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from paths import ROOT
from samples import (
    CANARY,
    CHANGES,
    EMPTY,
    LOGIN,
    PLAN,
    PROBLEMS,
    RENDERED,
    REPORT,
    URL,
    at,
    change,
    changed,
    new,
    plan_of,
)

from reconciler.apply.report import ItemError, Report, Result
from reconciler.errors import Location, Problem
from reconciler.model.address import Address
from reconciler.model.spec import Secret
from reconciler.plan.diff import detail
from reconciler.plan.operations import Change, Create, Link, Lock, OperationId, Update
from reconciler.render import github, graph, html, html_page, markdown, safe, text, words
from reconciler.render.json import dumps, plan_json, problems_json, results_json

SGR = re.compile(r"\x1b\[\d*m")
NASTIES = (
    "\x1b[2J\x1b]0;title\x07 clear",
    "\x9b31m C1",
    "safe \u202egnp.exe\u2066 bidi",
    "one\r\nPlan: 0 to create\n::error::two\u2028three\x85four",
    "::error file=a.py::stop",
    "##[group]fold ##vso[task.setvariable]",
    "100% a:b, c%0A::warning::x",
    "`code` ``` and ````",
    "```\n</details>\n```",
    "`",
    "\\",
    "a\\|b | c || d",
    "| --- | --- |",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "</summary></details><h1>out</h1>",
    "</style></title></pre>&lt;&amp;",
    "\" onmouseover=\"alert(1)' x='",
    "[link](javascript:alert(1)) ![image](https://evil.example/x.png)",
    "<https://evil.example> https://evil.example www.evil.example",
    "@everyone #12 !34 mail@example.net",
    "*bold* _it_ ~~gone~~ $math$ :smile:",
    "# heading",
    "- item",
    "1. item",
    "    indented",
    "--> <!-- comment",
    "---",
    '"]; n0 --> n1; click n0 "javascript:alert(1)"',
    '"; } evil -> node [label=<b>x</b>]; "',
    "\ud800 lone",
    "\ufffe\uffff not in XML \U000e0101 \U000e01ef \U000e0fff",
    "tag \U000e0041 zero\u200bwidth \ufeff",
    "(none)",
    " → ",
    "   ",
)
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


class Page(HTMLParser):
    """Collects the elements, the attributes and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.folded = 0
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += (value or "" for name, value in attrs if name in ("href", "src", "action"))
        self.folded += tag == "details"

    def handle_endtag(self, tag: str) -> None:
        self.folded -= tag == "details"

    def handle_data(self, data: str) -> None:
        self.text += data


def no_excerpt(place: Location) -> str:
    """No line of the file."""
    return ""


def hostile(nasty: str) -> tuple[Change, Report, list[Problem]]:
    """A change, a report and problems with a nasty text wherever one can come from."""
    place = Location(nasty, 1, 2)
    address, other = Address("issue", f"p/{nasty}"), Address("issue", f"p/{nasty}!")
    fields = (
        *new(subject=nasty, description=f"{nasty}\n{nasty}"),
        changed(f"custom_fields.{nasty}", nasty, [nasty, {nasty: nasty}]),
        changed("description", f"a\n{nasty}", f"b\n{nasty}\n{nasty}"),
    )
    later = (Link, (changed("parent", None, nasty),), (other,))
    made = change(Update, address, 1, place, fields, later, reason=nasty)
    done = change(Create, other, None, place, new(subject=nasty))
    error = ItemError(nasty, nasty, Location(nasty, 3, 4))
    results = (Result(made, "failed", 1, (error,), nasty, (nasty,)), Result(done, "skipped", because=nasty))
    return made, Report(plan_of(made, done), results, 3), [Problem(place, nasty, nasty, nasty, (place,))]


# -- JSON -----------------------------------------------------------------------------------------------------


def test_a_plan_is_the_json_of_the_design() -> None:
    """One planned version gives exactly the documented object, its keys in the documented order."""
    version = Address("version", "web-shop/1.0")
    one = change(Create, version, None, Location("a.yaml", 12, 5), new(due_date="2026-12-01"))
    expected = (
        '{"action": "create", "kind": "version", "key": "web-shop/1.0", "id": null,'
        ' "source": {"file": "a.yaml", "line": 12, "column": 5},'
        ' "fields": [{"path": "due_date", "before": null, "after": "2026-12-01"}], "reason": null}'
    )
    made = plan_json(plan_of(one, unchanged=42))
    assert json.dumps(made["changes"][0]) == expected
    assert list(made) == ["format_version", "url", "digest", "changes", "summary", "requests"]
    assert made["summary"] == {"create": 1, "update": 0, "delete": 0, "unchanged": 42}


def test_what_must_wait_is_under_then_in_the_json() -> None:
    """A later step is an object with its fields and, as `kind key`, what it comes after."""
    made = plan_json(PLAN)["changes"][3]["then"]
    assert made == [
        {"fields": [{"path": "status", "before": "open", "after": "locked"}], "after": ["issue web-shop/login"]}
    ]


# -- text ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rendered", "summary"),
    [
        (text.plan(PLAN, color=False), "Plan: 2 to create, 3 to change, 2 to delete, 42 unchanged."),
        (text.plan(EMPTY, color=False), "Plan: 0 to create, 0 to change, 0 to delete, 42 unchanged."),
        (text.results(REPORT, color=False), "Applied: 3 done, 1 failed, 1 skipped, 1 unknown, 1 not started."),
        (text.results(Report(EMPTY, (), 1), color=False), "Applied: 0 done, 0 failed, 0 skipped, 0 unknown."),
        (text.problems(PROBLEMS, no_excerpt, color=False), "3 problems."),
        (text.problems(PROBLEMS[:1], no_excerpt, color=False), "1 problem."),
        (text.problems((), no_excerpt, color=False), "No problems."),
    ],
)
def test_the_summary_is_the_last_line(rendered: str, summary: str) -> None:
    """Scripts that look at the last line always find the fixed summary."""
    assert rendered.splitlines()[-1] == summary


def test_an_empty_plan_says_so_first() -> None:
    """With nothing to do the first words are `No changes.`, and there is no legend."""
    rendered = text.plan(EMPTY, color=False)
    assert rendered.startswith("No changes. ")
    assert "+ create" not in rendered


def test_colour_only_adds_sgr_sequences() -> None:
    """The coloured text without its SGR sequences is the plain text, which has no escape character at all."""
    for render in (text.plan, text.results):
        argument: Any = PLAN if render is text.plan else REPORT
        plain = render(argument, color=False)
        assert SGR.sub("", render(argument, color=True)) == plain
        assert "\x1b" not in plain


def test_the_legend_explains_only_the_symbols_in_use() -> None:
    """A plan that only deletes explains `-` and nothing else."""
    rendered = text.plan(plan_of(CHANGES[5]), color=False)
    assert rendered.splitlines()[1] == "- delete"


def test_a_problem_without_a_place_is_only_its_sentence() -> None:
    """What no file is to blame for has no empty place before it."""
    problems = [Problem(Location(""), "the server is busy")]
    assert text.problems(problems, no_excerpt, color=False) == "! the server is busy\n\n1 problem."
    assert markdown.problems(problems, no_excerpt) == "### 1 problem.\n\nthe server is busy"
    assert "<code>" not in html.problems(problems, no_excerpt)


def test_places_can_be_left_out() -> None:
    """With files=False no place of a manifest is shown."""
    assert "shop.yaml" in text.plan(PLAN, color=False)
    assert "shop.yaml" not in text.plan(PLAN, color=False, files=False)


def test_done_items_are_listed_one_by_one_only_if_asked() -> None:
    """Without verbose, a done item is counted; with it, it has a line with the id it got."""
    assert "user jsmith" not in text.results(REPORT, color=False)
    assert "  + user jsmith (#11) " in text.results(REPORT, color=False, verbose=True)


def test_an_interrupted_run_says_how_to_go_on() -> None:
    """The report of an interrupted run says so in every format for people."""
    report = Report(PLAN, REPORT.results, 1, interrupted=True, ended="The run was interrupted.")
    for rendered in (text.results(report, color=False), markdown.results(report), html.results(report)):
        assert "The run was interrupted." in rendered


@pytest.mark.slow
def test_a_large_plan_is_rendered_in_linear_time() -> None:
    """10,000 creates that others wait for take seconds of CPU time, in every format; other work on the machine does not count."""
    addresses = [Address("issue", f"p/{n}") for n in range(10_000)]
    changes = [change(Create, a, None, at(n), new(subject=a.key, text="a\nb")) for n, a in enumerate(addresses)]
    later = (Lock, new(status="locked"), tuple(addresses))
    plan = plan_of(*changes, change(Create, Address("version", "p/1"), None, at(1), (), later))
    began = time.process_time()
    text.plan(plan, color=True)
    markdown.plan(plan)
    html.plan(plan)
    dumps(plan_json(plan))
    assert time.process_time() - began < 20


def test_rendering_text_imports_no_heavy_library() -> None:
    """Importing the text renderer imports neither rich nor deepdiff nor httpx."""
    code = "import sys, reconciler.render.text; print([m for m in ('rich', 'deepdiff', 'httpx') if m in sys.modules])"
    root = ROOT
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout == "[]\n"


# -- words -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "(none)"),
        ("", "(none)"),
        ([], "(none)"),
        (True, "true"),
        (2.5, "2.5"),
        ("Bug", "Bug"),
        ("two words", "two words"),
        (" padded", '" padded"'),
        ("(none)", '"(none)"'),
        ("a → b", '"a → b"'),
        ({"group": "Support"}, "group Support"),
        ([{"id": "desc"}, "subject"], "id desc, subject"),
        ({"project": "hq", "name": "1.0"}, "1.0 of hq"),
        ({"project": "hq", "key": "login"}, "login of hq"),
        ({"precedes": "x", "delay": 3}, "{precedes: x, delay: 3}"),
        (["jsmith", {"group": "Support"}], "jsmith, group Support"),
        (["a, b", "c"], '"a, b", c'),
        (["two\nlines"], '"two\\nlines"'),
        (Secret("x"), "(secret)"),
    ],
)
def test_values_are_said_as_a_person_would(value: Any, said: str) -> None:
    """A canonical value in words; what could be misread is in quotes."""
    assert words.value(value) == said


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("1", 1, ('"1"', "1")),
        ("true", True, ('"true"', "true")),
        ("a\u200bb", "a\u200eb", ('"a\\u200bb"', '"a\\u200eb"')),
        (["a, b"], ['"a, b"'], ('"a, b"', '"\\"a, b\\""')),
        ("x", "y", ("x", "y")),
    ],
)
def test_values_that_differ_look_different(before: Any, after: Any, said: tuple[str, str]) -> None:
    """Where two different values would read the same, they are shown as JSON."""
    assert said[0] != said[1]
    assert words.pair(before, after) == said


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ("a\nb\n", "a\nc  \n", ("@@ -1,2 +1,2 @@", " a", "-b", "+c··")),
        ("a\nb\t", "a", ("@@ -1,2 +1 @@", " a", "-b⇥")),
        (None, "a\nb\n", ("+a", "+b")),
        ("a\nb\n", None, ("-a", "-b")),
        (None, "\n".join("x" * 30), (*["+x"] * 20, "@@ 10 more lines @@")),
        (list("abcd"), list("bcde"), ("-a", "+e", " … 3 unchanged")),
        ({"a": 1, "b": {"x": True, "y": 2}}, {"a": 1, "b": {"x": False, "y": 2}}, ("-b.x: true", "+b.x: false")),
        ({"__a": 1, "b": 2, "c": 3}, {"__a": 4, "b": 2}, ("-__a: 1", "+__a: 4", "-c: 3")),
        ("x" * 60, "y" * 60, ("-" + "x" * 60, "+" + "y" * 60)),
    ],
)
def test_what_is_long_is_shown_by_what_differs(before: Any, after: Any, lines: tuple[str, ...]) -> None:
    """Texts of several lines, long sets, nested values and long texts are lines of a diff."""
    assert words.field(changed("x", before, after), new=before is None).lines == lines


def test_short_values_stand_side_by_side() -> None:
    """A set of a few names needs no diff."""
    assert words.field(changed("x", ["a", "b"], ["b", "c"]), new=False).lines == ()


def test_large_sets_are_compared_in_seconds() -> None:
    """Sets of 3,000 names that are half the same take seconds, not minutes."""
    before, after = ([f"user {n}" for n in range(start, start + 3000)] for start in (0, 1500))
    began = time.process_time()
    lines = detail(before, after)
    assert time.process_time() - began < 20
    assert len(lines) == 3000
    assert lines[0].startswith("-")
    assert lines[-1].startswith("+")


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ([], ""),
        (["b"], "after issue p/b"),
        (["b", "c", "d"], "after issue p/b, issue p/c, issue p/d"),
        (["b", "c", "d", "e"], "after 4 issues"),
    ],
)
def test_a_step_names_few_objects_and_counts_many(others: list[str], said: str) -> None:
    """What a step waits for is named up to three objects; the object itself is not worth a word."""
    after = tuple(OperationId(Address("issue", f"p/{name}")) for name in others)
    assert words.waits_for(Update(OperationId(LOGIN, 1), (), (OperationId(LOGIN), *after))) == said


def test_counts_of_several_kinds_use_their_plurals() -> None:
    """Each kind is counted under the plural that manifests use."""
    after = (*(Address("issue_category", f"p/{n}") for n in range(3)), Address("thing", "x"), Address("thing", "y"))
    operation = Update(OperationId(LOGIN, 1), (), (), tuple(map(OperationId, after)))
    assert words.waits_for(operation) == "after 3 issue categories, 2 things"


def test_no_line_of_a_long_text_is_a_command() -> None:
    """A text's unchanged line, which has only a blank before it in a diff, is no command in the log of a CI server."""
    before, after = "one\n::stop-commands::x\ntwo", "one\n::stop-commands::x\nthree"
    plan = plan_of(change(Update, LOGIN, 1, at(1), (changed("description", before, after),)))
    for rendered in (text.plan(plan, color=False), markdown.plan(plan), html.plan(plan), dumps(plan_json(plan))):
        assert "stop-commands" in rendered
        assert not any(line.lstrip().startswith("::") for line in rendered.split("\n"))


# -- secrets ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RENDERED)
def test_a_secret_is_in_no_format(name: str) -> None:
    """The sample's password is nowhere, whatever it is rendered to."""
    assert CANARY in CHANGES[0].fields[2].after.reveal()
    assert CANARY not in RENDERED[name]()


def test_a_secret_is_a_secret_inside_other_values() -> None:
    """Secrets in a list or mapping, and two different ones, show nothing."""
    fields = (changed("a", Secret("old-" + CANARY), Secret("new-" + CANARY)), *new(b=[{"c": Secret(CANARY)}]))
    plan = plan_of(change(Update, LOGIN, 1, at(1), fields))
    for rendered in (text.plan(plan, color=True), markdown.plan(plan), html.plan(plan), dumps(plan_json(plan))):
        assert CANARY not in rendered
        assert "secret" in rendered


# -- nothing breaks out ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("nasty", NASTIES)
def test_text_is_harmless_on_a_terminal_and_in_a_log(nasty: str) -> None:
    """No control character, no additional line, and no line that a CI server would take for a command."""
    made, report, problems = hostile(nasty)
    tame = hostile("tame")
    for rendered in (
        text.plan(report.plan, color=False),
        text.results(report, color=False, verbose=True),
        text.problems(problems, lambda place: f"   1 | {safe.terminal(nasty)}", color=False),
    ):
        rendered.encode()
        assert not safe.INVISIBLE.search(rendered.replace("\n", ""))
        assert not any(line.lstrip().startswith("::") for line in rendered.split("\n"))
        assert not safe.COMMAND.search(rendered)
    assert len(text.results(report, color=False).split("\n")) == len(text.results(tame[1], color=False).split("\n"))
    assert len(_head(made)) == 1


def _head(made: Change) -> list[str]:
    return safe.terminal(words.head(made)).splitlines()


ALLOWED = {"h3", "p", "code", "details", "summary", "table", "thead", "tbody", "tr", "th", "td", "pre"}
ALLOWED |= {"em", "strong", "ul", "li"}
ALIGNED = {"class", "style"}
"""A style is that of a column: numbers are aligned at their right."""


@pytest.mark.parametrize("nasty", NASTIES)
def test_markdown_shows_no_more_than_text(nasty: str) -> None:
    """Plans, reports and problems have only the elements they are laid out with: no link, image, heading or script."""
    _, report, problems = hostile(nasty)
    for rendered in (
        markdown.plan(report.plan),
        markdown.results(report),
        markdown.problems(problems, lambda place: f"   1 | {nasty}"),
    ):
        page = Page(MARKDOWN.render(rendered))
        assert page.tags <= ALLOWED
        assert page.attributes <= ALIGNED
        assert page.folded == 0
        rendered.encode()


@pytest.mark.parametrize("nasty", NASTIES)
def test_html_shows_no_more_than_text(nasty: str) -> None:
    """The page has only its own elements, attributes, links and program, and the nasty text is text."""
    _, report, problems = hostile(nasty)
    for rendered in (html.plan(report.plan), html.results(report), html.problems(problems, lambda place: nasty)):
        page = Page(rendered)
        own = Page(html.plan(PLAN) + html.results(REPORT) + html.problems(PROBLEMS, lambda place: "line"))
        assert page.tags <= own.tags
        assert page.attributes <= own.attributes
        assert not any(name.startswith("on") or name == "style" for name in page.attributes)
        assert all(link.startswith(("#", f"{URL}/")) or link == URL for link in page.links)
        assert re.findall("<script.*?</script>", rendered, re.S) == [f"<script>{html_page.script()}</script>"]
        assert safe.terminal(nasty) in page.text
        rendered.encode()


@pytest.mark.parametrize("nasty", NASTIES)
def test_json_keeps_every_character_and_obeys_none(nasty: str) -> None:
    """The JSON reads back as the same text, and what a terminal would obey is written as an escape."""
    made, report, problems = hostile(nasty)
    for data in (plan_json(report.plan), results_json(report), problems_json(problems)):
        rendered = dumps(data)
        assert json.loads(rendered) == data
        assert not safe.INVISIBLE.search(rendered.replace("\n", ""))
        rendered.encode()
    assert plan_json(report.plan)["changes"][0]["fields"][0]["after"] == nasty
    assert made.address.key == plan_json(report.plan)["changes"][0]["key"]


@pytest.mark.parametrize("nasty", NASTIES)
def test_a_workflow_command_is_one_line_with_its_own_properties(nasty: str) -> None:
    """Whatever a message or file name says, each problem is one `::error` command with four properties at most."""
    _, report, problems = hostile(nasty)
    *results, summary = github.results(report).split("\n")
    assert summary == words.outcome(report)
    for line in (*github.problems(problems).split("\n"), *results):
        command = re.fullmatch(r"::(error|warning) ([^:\r\n]*)::([^\r\n]*)", line)
        assert command is not None
        assert [part.split("=")[0] for part in command[2].split(",")] == ["file", "line", "col", "title"]


@pytest.mark.parametrize("nasty", NASTIES)
def test_graphs_have_only_their_own_nodes(nasty: str) -> None:
    """A hostile key is a label in quotes, in DOT and in Mermaid."""
    edges = [(Address("issue", f"p/{nasty}"), LOGIN)]
    dot = graph.dot(edges).split("\n")
    assert len(dot) == len(graph.dot([(Address("issue", "p/x"), LOGIN)]).split("\n"))
    assert all(re.fullmatch(r'  "(?:[^"\\]|\\.)*"(?: -> "(?:[^"\\]|\\.)*")?;', line) for line in dot[3:-1])
    for line in graph.mermaid(edges).split("\n")[1:]:
        assert re.fullmatch(r'  n\d+(?:\["[^"`<>]*"\]| --> n\d+)', line)


anything = st.text(st.characters() | st.sampled_from("`*_[](){}<>#|~@&$!\\-+.: \n\t1w/\x1b\u202e\ud800"), max_size=60)


@given(anything)
def test_any_text_is_itself_in_markdown(given_text: str) -> None:
    """Escaped text and code spans render to one paragraph of just that text."""
    clean = safe.terminal(given_text).strip()
    page = Page(MARKDOWN.render(f"x {safe.markdown(given_text)}"))
    assert (page.tags, page.text.split()) == ({"p"}, ["x", *clean.split()])
    alone = Page(MARKDOWN.render(safe.markdown(given_text)))
    assert alone.tags <= {"p"}
    assert alone.text.split() == clean.split()
    code = Page(MARKDOWN.render(safe.code(given_text)))
    assert (code.tags, code.text.split()) == ({"p", "code"}, clean.split())


@given(anything, anything)
def test_any_text_is_one_cell_of_a_markdown_table(one: str, two: str) -> None:
    """Code spans and escaped texts in a table stay in their cells."""
    row = f"| {safe.code(one, cell=True)} | {safe.markdown(two)} |"
    rendered = MARKDOWN.render(f"| a | b |\n| --- | --- |\n{row}")
    assert rendered.count("<td>") == 2
    assert Page(rendered).text.split() == ["a", "b", *safe.terminal(one).split(), *safe.terminal(two).split()]


@given(anything)
def test_any_text_is_itself_in_html(given_text: str) -> None:
    """Escaped text is the element's text, and stays inside a quoted attribute."""
    page = Page(f'<p title="{safe.html(given_text)}">{safe.html(given_text)}</p>')
    assert (page.tags, page.attributes, page.text) == ({"p"}, {"title"}, safe.terminal(given_text))


@given(anything)
def test_any_text_is_one_visible_line_on_a_terminal(given_text: str) -> None:
    """Nothing invisible is left, it can be encoded, and what is harmless stays as it is."""
    clean = safe.terminal(given_text)
    assert not safe.INVISIBLE.search(clean)
    assert len(clean.splitlines()) <= 1
    assert safe.terminal(clean) == clean
    clean.encode()


# -- formats for machines and comments -------------------------------------------------------------------------


def test_numbers_that_json_does_not_have_are_texts() -> None:
    """Not-a-number and infinity never make the JSON invalid."""
    plan = plan_of(change(Update, LOGIN, 1, at(1), (changed("x", float("nan"), float("inf")),)))
    (field,) = json.loads(dumps(plan_json(plan)))["changes"][0]["fields"]
    assert field == {"path": "x", "before": "nan", "after": "inf"}


def test_an_object_without_a_place_has_no_source() -> None:
    """What no manifest declares has null for its source, and no place in the text."""
    assert plan_json(PLAN)["changes"][6]["source"] is None
    assert "issue_category web-shop/Older (#9)\n" in text.plan(PLAN, color=False)


def test_annotations_name_the_line() -> None:
    """A problem becomes an error on its line of the file, escaped as GitHub asks for."""
    problem = Problem(Location("a:b,c.yaml", 3, 7), "50% is wrong", "user x", "try 5")
    assert github.problems([problem]) == (
        "::error file=a%3Ab%2Cc.yaml,line=3,col=7,title=user x::50%25 is wrong (try 5)"
    )
    assert github.problems([Problem(Location(""), "no file")]) == "::error::no file"
