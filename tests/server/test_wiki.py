"""Wiki pages on a real Redmine: what the cases in `cases/wiki_pages.yaml` cannot say.

Pages that somebody else edits, makes, renames or protects, traps 11 and 29 of the API notes, files, and what is found
before anything is written. Redmine 5.0 and 6.1 do the same everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from engine import apply_to, plan_of
from promises import Api, Tool, as_user, raw_shop, raw_user, tool, troubles
from proxy import DROPPED, REFUSED, Exchange, Fault, Proxy

from reconciler.apply.executor import Applier
from reconciler.errors import RefusedError
from reconciler.kinds._wiki_titles import titleize
from reconciler.sandbox import Running


@pytest.fixture
def api(world: Running) -> Iterator[Api]:
    """The bare API of a server with one project that has a wiki."""
    with Api(world) as api:
        raw_shop(api, enabled_module_names=["wiki"])
        yield api


def put(api: Api, at: str, text: str, **more: Any) -> int:
    """What Redmine answers to a write of a page without the tool."""
    return api.send("PUT", f"/projects/shop/wiki/{at}", {"wiki_page": {"text": text, **more}}).status_code


def page(api: Api, title: str) -> dict[str, Any]:
    """A page as the API shows it."""
    return dict(api.get(f"/projects/shop/wiki/{title}?include=attachments"))


def pages(*declared: dict[str, Any]) -> dict[str, Any]:
    """A manifest of pages of the project."""
    return {"wiki_pages": [{"project": "shop", **one} for one in declared]}


def meanwhile(action: Callable[[], object]) -> Callable[[Applier], None]:
    """Does something after the plan was made, and before anything is written."""

    def watch(applier: Applier) -> None:
        action()

    return watch


# -- traps -----------------------------------------------------------------------------------------------------


def test_trap_11_a_comment_on_a_text_that_stays_the_same(world: Running, api: Api) -> None:
    """Redmine drops the comment of a write that leaves the text as it is. The tool takes it for no change, and for no
    success: it goes with the next text."""
    assert put(api, "A", "one", comments="first") == 201
    assert put(api, "A", "one", comments="second") == 204
    assert page(api, "A")["comments"] == "first"

    assert tool(world).plan(pages({"title": "A", "text": "one", "comments": "second"})).changes == ()
    tool(world).settle(pages({"title": "A", "text": "two", "comments": "second"}))
    assert (page(api, "A")["comments"], page(api, "A")["version"]) == ("second", 2)


def test_trap_29_the_title_that_a_renamed_page_had(world: Running, api: Api) -> None:
    """The old title answers 302, and a PUT to it edits the renamed page. The tool neither edits nor shadows that: it
    says what has happened, and does as it is told then."""
    assert (put(api, "Old", "one"), put(api, "Old", "one", title="New")) == (201, 204)
    assert api.send("GET", "/projects/shop/wiki/Old").status_code == 302
    assert put(api, "Old", "through") == 204
    assert page(api, "New")["text"] == "through"

    (problem,) = tool(world).problems(pages({"title": "Old", "text": "mine"}))
    assert 'the title "Old" redirects to a page that was renamed' in problem
    (problem,) = tool(world).problems(pages({"title": "Child", "text": "c", "parent": "Old"}))
    assert 'there is no wiki page "Old"' in problem
    assert tool(world).plan(pages({"title": "Old", "state": "absent"})).changes == ()
    assert (page(api, "New")["text"], page(api, "New")["version"]) == ("through", 2)

    tool(world).settle(pages({"title": "Old", "renamed_from": "New", "text": "mine"}))
    assert (page(api, "Old")["text"], page(api, "Old")["version"]) == ("mine", 3)


def test_a_page_that_is_renamed_under_way(world: Running, api: Api) -> None:
    """A page that is renamed between plan and write is a failure, not a success under another title."""
    put(api, "A", "one")
    rename = meanwhile(lambda: put(api, "A", "one", title="B"))
    found = troubles(tool(world).apply(pages({"title": "A", "text": "two"}), rename))
    assert found.keys() == {"wiki_page shop/A"}


# -- conflicts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("declared", [{"text": "mine"}, {"parent": "Top"}, {"title": "B", "renamed_from": "A"}])
def test_a_page_that_is_edited_under_way_is_left_as_it_is(world: Running, api: Api, declared: dict[str, Any]) -> None:
    """Whatever changes, a text that somebody wrote between plan and write is not overwritten, and it is said why."""
    put(api, "A", "one")
    put(api, "Top", "top")
    wanted = pages({"title": "A", **declared})
    found = troubles(tool(world).apply(wanted, meanwhile(lambda: put(api, "A", "theirs"))))
    ((outcome, why),) = found.values()
    assert outcome == "failed"
    assert "changed by someone else meanwhile" in why
    assert "plan" in why
    row = page(api, "A")
    assert (row["text"], row["version"], row.get("parent")) == ("theirs", 2, None)
    tool(world).settle(wanted)


def test_a_page_that_is_made_under_way_is_left_as_it_is(world: Running, api: Api) -> None:
    """A page that somebody makes between plan and write is not overwritten, in whatever case its title is."""
    wanted = pages({"title": "Guide", "text": "mine", "parent": None}, {"title": "Sidebar", "text": "mine"})

    def make() -> None:
        assert (put(api, "GUIDE", "theirs"), put(api, "Sidebar", "theirs")) == (201, 201)

    found = troubles(tool(world).apply(wanted, meanwhile(make)))
    assert found.keys() == {"wiki_page shop/Guide", "wiki_page shop/Sidebar"}
    assert "created by someone else meanwhile" in found["wiki_page shop/Guide"][1]
    for title in ("GUIDE", "Sidebar"):
        assert (page(api, title)["text"], page(api, title)["version"]) == ("theirs", 1)
    tool(world).settle(wanted)
    assert page(api, "GUIDE")["text"] == "mine"


def test_an_edit_right_after_the_write_is_not_undone(world: Running, api: Api) -> None:
    """What somebody writes after the tool, and before it reads back, stays; the tool says so."""
    put(api, "A", "one")
    done: list[str] = []

    def edit(exchange: Exchange) -> Fault | None:
        if exchange.method == "PUT":
            done.append(exchange.path)
        elif len(done) == 1:
            done.append("edited")
            assert put(api, "A", "theirs") == 204
        return None

    with Proxy(world.url, edit) as proxy:
        found = troubles(Tool(proxy.url, world.api_key).apply(pages({"title": "A", "text": "mine"})))
    assert "the page was changed by someone else meanwhile" in found["wiki_page shop/A"][1]
    assert (page(api, "A")["text"], page(api, "A")["version"]) == ("theirs", 3)


@pytest.mark.parametrize("fault", [DROPPED, REFUSED, Fault(status=502)], ids=["lost", "refused", "lost behind 502"])
def test_a_page_whose_creation_gets_no_answer_is_made_once(world: Running, api: Api, fault: Fault) -> None:
    """When the answer to a creation is lost, the page is there once, with one version and nothing of it missing."""
    put(api, "Top", "top")
    wanted = pages({"title": "A", "text": "one", "parent": "Top", "comments": "why"})
    with Proxy(world.url, lambda e: fault if e.write == 1 else None) as proxy:
        assert troubles(Tool(proxy.url, world.api_key).apply(wanted)) == {}
    row = page(api, "A")
    assert (row["text"], row["version"], row["parent"], row["comments"]) == ("one", 1, {"title": "Top"}, "why")
    assert tool(world).plan(wanted).changes == ()


# -- permissions -----------------------------------------------------------------------------------------------


@pytest.fixture
def developer(world: Running, api: Api) -> Tool:
    """The tool with the key of a developer, who may edit pages, but neither rename nor protect any."""
    user = raw_user(api)
    api.make("/projects/shop/memberships", user_id=user, role_ids=[4])
    return Tool(world.url, str(api.get(f"/users/{user}")["api_key"]))


def test_what_a_developer_may_not_do_is_said(world: Running, api: Api, developer: Tool) -> None:
    """A protected page is refused; a parent, a title and the start page, which Redmine drops silently, are failures."""
    for title in ("Sidebar", "A", "B", "C", "D"):
        put(api, title, "one")
    wanted = pages(
        {"title": "Sidebar", "text": "two"},
        {"title": "A", "text": "two", "parent": "D"},
        {"title": "B2", "renamed_from": "B", "text": "two"},
        {"title": "C", "text": "two", "start_page": True},
        {"title": "E", "text": "new", "parent": "D"},
    )
    found = troubles(developer.apply(wanted))
    assert found.keys() == {f"wiki_page shop/{title}" for title in ("Sidebar", "A", "B2", "C")}
    assert "the account lacks the permission" in found["wiki_page shop/Sidebar"][1]
    for title in ("A", "B2"):
        assert "may lack the permission to rename wiki pages" in found[f"wiki_page shop/{title}"][1]
    assert "may lack the permission to manage the wiki" in found["wiki_page shop/C"][1]
    assert [page(api, title)["text"] for title in ("Sidebar", "A", "B", "C")] == ["one", "two", "two", "two"]


def test_a_new_sidebar_is_protected(world: Running, api: Api, developer: Tool) -> None:
    """Redmine protects a page that is called Sidebar when it is made, also when the tool makes it."""
    tool(world).settle(pages({"title": "sidebar", "text": "aside"}))
    with as_user(world, api, api.get("/users?name=amy")[0]["id"]) as amy:
        assert put(amy, "Sidebar", "mine") == 403


def test_without_the_module_it_is_a_problem(world: Running, api: Api) -> None:
    """A page in a project whose module wiki is off is found before anything is written."""
    raw_shop(api, "plain")
    (problem,) = tool(world).problems({"wiki_pages": [{"project": "plain", "title": "A", "text": "a"}]})
    assert "requires the module wiki" in problem


# -- before anything is written ------------------------------------------------------------------------------------


def test_parents_that_cannot_be(world: Running, api: Api) -> None:
    """A parent that is nowhere, or below the page itself, is found before Redmine refuses it without a reason."""
    for title, parent in (("A", ""), ("B", "A"), ("C", "B")):
        put(api, title, "text", parent_title=parent)
    assert put(api, "A", "text", parent_title="C") == 422
    (problem,) = tool(world).problems(pages({"title": "A", "parent": "C"}))
    assert 'the page "C" is below this one' in problem
    (problem,) = tool(world).problems(pages({"title": "A", "parent": "D"}))
    assert 'there is no wiki page "D"' in problem


def test_a_new_page_needs_a_text(world: Running, api: Api) -> None:
    """A page that does not exist yet cannot be made without a text; a PUT without one would make an empty shell."""
    (problem,) = tool(world).problems(pages({"title": "A"}))
    assert "to create it, text must be set" in problem


def test_one_start_page(world: Running, api: Api) -> None:
    """Two pages that are declared the start page are a problem of both; the one stays it when it is renamed."""
    found = tool(world).problems(pages(*({"title": t, "text": "a", "start_page": True} for t in "AB")))
    assert len(found) == 2
    assert "shop/B is also declared as the start page" in found[0]

    put(api, "Wiki", "start")
    assert tool(world).plan(pages({"title": "Wiki", "text": "start", "start_page": True})).changes == ()
    tool(world).settle(pages({"title": "A", "text": "a", "start_page": True}))
    tool(world).settle(pages({"title": "B", "renamed_from": "A", "text": "a", "start_page": True}))
    assert api.get("/projects/shop/wiki?include=attachments")["title"] == "B"


def test_a_deletion_says_what_goes_with_it(world: Running, api: Api) -> None:
    """The plan tells that the history goes, and which pages lose their parent; a protected page is not deleted."""
    for title, parent in (("A", ""), ("B", "A"), ("C", "B")):
        put(api, title, "text", parent_title=parent)
    gone = pages({"title": "A", "state": "absent"})
    (change,) = tool(world).plan(gone).changes
    assert change.reason == "also deletes its history and attachments; shop/B will have no parent page"
    with pytest.raises(RefusedError):
        tool(world).plan(pages({"title": "A", "state": "absent", "protect": True}))
    tool(world).settle(gone)
    assert "parent" not in page(api, "B")


def test_titles_are_made_as_redmine_makes_them(world: Running, api: Api) -> None:
    """What the tool calls a page is what Redmine calls it."""
    odd = (
        "a b",
        " a",
        "a\tb\u00a0c",
        "x,.y?z;|:",
        "éa",
        "ßa",
        "ﬁx",
        "ǆa",
        "ŉa",
        "日本",
        "😀",
        "_a",
        "ıi",
        "a\u2028b",
        "7",
    )
    for number, title in enumerate(odd):
        made = f"{title}{number}"
        answer = api.send("PUT", "/projects/shop/wiki/%2C", {"wiki_page": {"title": made, "text": "a"}})
        assert answer.json()["wiki_page"]["title"] == titleize(made)


def test_a_page_without_a_text_gets_one(world: Running, api: Api) -> None:
    """A PUT without a text leaves a page that the index shows and that answers 404; the tool fills it."""
    assert api.send("PUT", "/projects/shop/wiki/A", {"wiki_page": {"comments": "x"}}).status_code == 201
    assert api.send("GET", "/projects/shop/wiki/A").status_code == 404
    tool(world).settle(pages({"title": "A", "text": "one"}))
    assert page(api, "A")["text"] == "one"


def test_the_requests_of_a_plan(world: Running, api: Api) -> None:
    """A plan reads the index of each project once, and each declared page once, whether it is there or not."""
    for number in range(5):
        put(api, f"Page{number}", "text")
    before = tool(world).plan(pages({"title": "Page0", "text": "text"})).requests
    declared = [{"title": f"Page{number}", "text": "text"} for number in range(8)]
    assert tool(world).plan(pages(*declared)).requests == before + 7


# -- files -----------------------------------------------------------------------------------------------------


def declare(folder: Path, attachments: str, text: str = "a") -> list[Path]:
    """The manifest of a page with files, in a folder of its own."""
    manifest = folder / "wiki.yaml"
    manifest.write_text(f"wiki_pages: [{{project: shop, title: A, text: {text}, attachments: [{attachments}]}}]")
    return [manifest]


def test_the_files_of_a_page(world: Running, api: Api, tmp_path: Path) -> None:
    """Files are put on a page when it is made, replaced, described and removed; others are left alone, and the text
    gets no new version by that."""
    (tmp_path / "a.txt").write_text("one")
    (tmp_path / "b.txt").write_text("two")

    def files() -> dict[str, tuple[int, str]]:
        return {f["filename"]: (f["filesize"], f["description"]) for f in page(api, "A")["attachments"]}

    def settle(attachments: str, text: str = "a") -> None:
        manifest = declare(tmp_path, attachments, text)
        report = apply_to(world, manifest)
        assert [r.errors for r in report.results if r.outcome != "done"] == []
        assert plan_of(world, manifest).changes == ()

    settle("{file: a.txt, description: first}, {file: b.txt, filename: c.txt}")
    assert files() == {"a.txt": (3, "first"), "c.txt": (3, "")}
    (tmp_path / "a.txt").write_text("three")
    settle("{file: a.txt, description: second}")
    assert files() == {"a.txt": (5, "second"), "c.txt": (3, "")}
    settle("{file: a.txt, description: third}, {filename: c.txt, state: absent}")
    assert files() == {"a.txt": (5, "third")}
    assert page(api, "A")["version"] == 1
    settle("{file: b.txt}", "other")
    assert files() == {"a.txt": (5, "third"), "b.txt": (3, "")}
    assert (page(api, "A")["text"], page(api, "A")["version"]) == ("other", 2)


def test_a_file_that_is_refused(world: Running, api: Api, tmp_path: Path) -> None:
    """A file that Redmine does not take fails its own page, with the server's sentence; other pages are made."""
    (tmp_path / "big.bin").write_bytes(b"\0" * (5 * 1024 * 1024 + 1))
    (tmp_path / "other.yaml").write_text("wiki_pages: [{project: shop, title: B, text: b}]")
    found = troubles(apply_to(world, [*declare(tmp_path, "{file: big.bin}"), tmp_path / "other.yaml"]))
    assert found.keys() == {"wiki_page shop/A"}
    assert "exceeds the maximum allowed file size" in found["wiki_page shop/A"][1]
    assert page(api, "B")["text"] == "b"
