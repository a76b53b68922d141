"""The page and the plots that the benchmarks write."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import charts
import fleet
import online
import page
import publish
import pytest
from charts import Line, Panel, Point, draw
from results import BARE, SCRIPT, TOOL, Book, Cost, Part, Scenario, Series

SVG = "{http://www.w3.org/2000/svg}"


def plan(objects: int, seconds: float) -> Scenario:
    """The tool, which was measured, and a script of which a tenth was."""
    tool = Series(TOOL, (Cost(seconds, seconds / 2, 60.0),), requests=objects // 99)
    script = Series(SCRIPT, (Cost(seconds, seconds, 30.0),), objects, scale=10 if objects > 1000 else 1)
    return Scenario("plan", objects, (tool, script))


GROWTH = Part("growth", "a server", tuple(plan(n, n / 1000) for n in (1000, 10_000)), True, "2026-11-29", "a CPU", "")


# -- the page --------------------------------------------------------------------------------------------------


def test_the_page_and_the_plots_are_those_of_the_results() -> None:
    """Nobody writes a figure by hand: `python benchmarks/bench.py --publish` writes what is there."""
    parts, now = list(Book().parts()), (publish.DOCS / publish.PAGE).read_text()
    for name, text in publish.written(now, parts, fleet.read()).items():
        assert (publish.DOCS / name).read_text() == text


def test_each_database_has_its_figures() -> None:
    """SQLite's stand beside PostgreSQL's."""
    measured = {part.name.rpartition("-")[2] for part in Book().parts()}
    assert measured >= {server.database for server in online.SERVERS}


def test_what_people_wrote_stays() -> None:
    """Only what is between the markers is replaced."""
    text = "before\n\n<!-- a: written by make bench -->\nold\n<!-- end of a -->\n\nafter\n"
    once = page.between(text, "a", "new")
    assert once == "before\n\n<!-- a: written by make bench -->\n\nnew\n\n<!-- end of a -->\n\nafter\n"
    assert page.between(once, "a", "new") == once


def test_a_page_without_markers_is_an_error() -> None:
    """Nothing is lost in silence."""
    with pytest.raises(ValueError, match="markers of a"):
        page.between("", "a", "new")


def test_a_missed_goal_is_said_to_be_missed() -> None:
    """In bold, beside its limit."""
    slow = Series(TOOL, (Cost(9, 9, 40),)), Series(BARE, (Cost(1, 1, 40),))
    text = page.goals([Part("redmine", "Redmine 6.1", (Scenario("create", 1000, slow),), True, "", "", "")])
    assert "| `apply` of 1,000 new issues / bare POSTs | Redmine 6.1 | ≤ 1.05 × | **9.00 ×, missed** |" in text


def test_what_was_computed_is_said_to_be() -> None:
    """And how many times as long it takes."""
    assert "≈ 100 s (10 ×)<br>10,000 requests" in page.measured([GROWTH])


def test_growth_in_figures() -> None:
    """Those of the tool."""
    assert "| 10,000 | 101 | 10.0 s | 5.00 s | 60 MB |" in page.grown(GROWTH)


# -- plots -----------------------------------------------------------------------------------------------------


def test_a_plot_has_all_that_was_measured() -> None:
    """Three panels; memory only of what was run as a whole."""
    drawn = ElementTree.fromstring(page.plot(GROWTH))
    titles = [text.text for text in drawn.iter(f"{SVG}text") if text.get("class") == "title"]
    assert titles == ["Time, in seconds", "Requests", "Peak memory, in MB"]
    dots = list(drawn.iter(f"{SVG}circle"))
    assert len(dots) == 4 + 4 + 3 + 1  # and one in the legend, for what is computed


def test_no_text_is_cut_off() -> None:
    """Even if each character is as wide as a wide one is on average."""
    for text in ElementTree.fromstring(page.plot(GROWTH)).iter(f"{SVG}text"):
        width, x = 7.5 * len(text.text or ""), float(text.get("x", 0))
        start = {"end": x - width, "middle": x - width / 2}.get(text.get("text-anchor", ""), x)
        assert start >= 0
        assert start + width <= charts.WIDTH, text.text


def test_twice_as_much_is_higher_and_ten_times_as_many_is_a_decade() -> None:
    """The axes are logarithmic: what grows in proportion is a straight line."""
    line = Line("a", 0, tuple(Point(n, n / 100) for n in (1000, 10_000, 100_000)))
    places = re.findall(r'<circle class="dot" cx="([\d.]+)" cy="([\d.]+)"', draw("a", [Panel("a", (line,), "n")]))
    (x1, y1), (x2, y2), (x3, y3) = ((float(x), float(y)) for x, y in places)
    assert y1 > y2 > y3
    assert (x2 - x1, y1 - y2) == (pytest.approx(x3 - x2, abs=0.2), pytest.approx(y2 - y3, abs=0.2))


def test_ticks_are_powers_of_ten_around_the_figures() -> None:
    """Two at least, so that a single figure has an axis."""
    assert charts.decades([0.5, 20]) == [0.1, 1, 10, 100]
    assert charts.decades([10]) == [10, 100]


def test_a_plot_has_colors_for_light_and_dark() -> None:
    """Each color that it uses is defined twice."""
    text = page.plot(GROWTH)
    for color in set(re.findall(r"var\(--(\w+)\)", text)):
        assert len(re.findall(rf"--{color}:", text)) == 2
