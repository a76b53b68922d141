"""How many round trips one after the other it takes to read back: what an apply waits for where the server is far away."""

from __future__ import annotations

from pathlib import Path

from canned import Canned
from engine import apply_to
from rounds import Round, counted


def after_the_writes(rounds: list[Round]) -> list[list[str]]:
    """What is asked for in each round trip after the last write."""
    last = max(n for n, requests in enumerate(rounds) if any(method != "GET" for method, _ in requests))
    return [sorted(path.partition("?")[0] for _, path in requests) for requests in rounds[last + 1 :]]


def test_different_kinds_are_read_back_at_once() -> None:
    """The lists of versions, categories and pages are asked for together."""
    redmine = Canned()
    redmine.add("projects", identifier="shop", name="Shop", enabled_modules=["issue_tracking", "wiki"])
    redmine.add("versions", project="shop", name="1.0")
    redmine.add("issue_categories", project="shop", name="Backend", assigned_to=None)
    redmine.add("wiki_pages", inside="shop", title="Home", text="text", version=1)
    changed = (
        "versions: [{name: '1.0', description: New}], issue_categories: [{name: Backend, assigned_to: admin}], "
        "wiki_pages: [{title: Home, text: other}]"
    )
    with counted(redmine) as rounds:
        report = apply_to(redmine, f"projects: [{{identifier: shop, {changed}}}]")
    assert {result.outcome for result in report.results} == {"done"}
    first, *rest = after_the_writes(rounds)
    inside = ("issue_categories.json", "versions.json", "wiki/index.json")
    assert first == [f"/projects/shop/{path}" for path in inside]
    # No list shows the text of a page.
    assert rest == [["/projects/shop/wiki/Home.json"]]


def test_the_files_of_an_object_are_compared_at_once(tmp_path: Path) -> None:
    """Ten files of equal names and sizes are downloaded in one round trip."""
    redmine = Canned()
    redmine.add("projects", identifier="shop", name="Shop")
    names = [f"{n}.txt" for n in range(10)]
    rows = [{"id": n, "filename": name, "filesize": 4, "description": ""} for n, name in enumerate(names, 1)]
    redmine.add("issues", project="shop", subject="s", attachments=rows)
    redmine.files = {row["id"]: b"text" for row in rows}
    for name in names:
        (tmp_path / name).write_text("text")
    files = ", ".join(f"{{file: {name}}}" for name in names)
    path = tmp_path / "shop.yaml"
    path.write_text(f"projects: [{{identifier: shop, issues: [{{subject: s, attachments: [{files}]}}]}}]")
    with counted(redmine) as rounds:
        assert apply_to(redmine, [path]).results == ()
    downloads = [sum("/download/" in target for _, target in requests) for requests in rounds]
    assert list(filter(None, downloads)) == [10]
