"""Wiki pages: `GET /projects/:p/wiki/index`, `GET/PUT/DELETE /projects/:p/wiki/:title`.

A page has no number, only its title, which Redmine compares without case; its id here is `project/title`. The index
shows neither text nor attachments, so each declared page is read by itself. A PUT creates and changes; it needs the
text each time, and refuses with 409 to change one whose `version` is no longer the page's. The title that a renamed
page had leads to it: a PUT there edits the renamed page. (All seen on 5.0, 6.0 and 6.1.)
"""

import unicodedata
from collections.abc import Collection, Iterable, Mapping
from typing import Annotated, Any

from msgspec.structs import replace
from pydantic import AfterValidator, Field, StringConstraints

from reconciler.kinds._page_tree import PAGE, PARENT, is_above, live_below, moved_above
from reconciler.kinds._watching import WATCHED, Audience
from reconciler.model.address import CONTAINER, Address, Row, split_key
from reconciler.model.attachments import Attached, Attachments, attaching
from reconciler.model.capabilities import Creation, Deletion, Dependencies, KeptValues, ReadBack, Rows
from reconciler.model.codecs import Codec, Text
from reconciler.model.export_hooks import Exporting
from reconciler.model.forms import ANY, NAME, WHOLE
from reconciler.model.kind import Inside, Kind, Listing, Need, Object, Request, earlier_key
from reconciler.model.name_index import Context, Names
from reconciler.model.pruning import Contents, Pruning
from reconciler.model.requests import payload
from reconciler.model.rights import Rights
from reconciler.model.spec import REFUSE, Api, Id, Name, ProjectItem
from reconciler.model.wiki_titles import REMOVED, lease_page, titleize
from reconciler.natural import natural
from reconciler.redmine.urls import quote

LONGEST = 255
NO_PAGE = ","
"""A title of which Redmine leaves nothing: no page and no redirect can have it."""
SIDEBAR = "sidebar"
ATTACHMENTS = (("include", "attachments"),)
GONE: Mapping[int, None] = {302: None, 403: None, 404: None}
"""The answers for a page that was renamed, that the account may not see, and that does not exist."""
REDIRECT = "redirect"
"""Marks the row of a title that a renamed page had."""
MEANWHILE = "the page was changed by someone else meanwhile: plan again"


class Title(Codec):
    """A title, which Redmine compares without case."""

    form = NAME

    def equal(self, desired: Any, live: Any) -> bool:
        return str(desired).casefold() == str(live).casefold()


class StartPage(Codec):
    """Whether the page is the one that the tab Wiki shows; only that page's row says so."""

    def decode(self, wire: Any, context: Context) -> Any:
        return bool(wire)


class WikiPageSpec(ProjectItem):
    """A page of a project's wiki. Its identity is the project and the title, which is compared without case."""

    title: Annotated[
        Name,
        AfterValidator(titleize),
        Field(
            description="As Redmine normalizes it: spaces become `_`, the characters `, . / ? ; | :` are removed, "
            "the first letter is a capital. At most 255 characters.",
            examples=["How_we_release"],
        ),
        Api(codec=Title(), clear=REFUSE),
    ]
    text: Annotated[
        str | None,
        Field(
            description="The content, never empty; line ends are not compared. Required to create the page.",
            examples=["h1. How we release\n\nOn Thursdays.\n"],
        ),
        # A PUT without a text makes a new page that answers 404, and is a 422 for an old one (5.0 to 6.1).
        Api(codec=Text(), clear=REFUSE, detail=True, main_text=True, label="Text field"),
    ] = None
    parent: Annotated[
        Name | None,
        Field(
            description="Title of a page of the same project; null makes it a top-level page.", examples=["Handbook"]
        ),
        Api(codec=PARENT, write="parent_title", clear="", label="Parent page"),
    ] = None
    start_page: Annotated[
        bool | None,
        Field(description="`true` makes it the start page of the wiki. Default: the page Wiki.", examples=[True]),
        # No request takes this away from a page: another page has to become the start page (`check`).
        Api(codec=StartPage(), write="is_start_page", clear=REFUSE, detail=True),
    ] = None
    comments: Annotated[
        str | None,
        StringConstraints(max_length=1024),
        Field(
            description="Comment in the history for a change of the text; never compared. At most 1024 characters.",
            examples=["As agreed in the meeting"],
        ),
        Api(read=None, along=frozenset({"text"}), clear="", label="Comment"),
    ] = None
    watchers: WATCHED = None
    attachments: Annotated[
        list[Attached] | None,
        Field(
            description="Files, by name: {file: PATH, filename: …, description: …} or {filename: …, state: absent}.",
            examples=[[{"file": "release.pdf", "description": "The checklist"}]],
        ),
        Api(codec=Attachments(), write="uploads", clear=REFUSE, detail=True),
    ] = None


def path_of(number: Id) -> str:
    """The path of a page, from its id `project/title`."""
    project, title = split_key(str(number))
    return f"/projects/{project}/wiki/{quote(title)}"


def _indexes(need: Need, names: Names) -> list[Listing]:
    """The index of each needed wiki, and its start page if one is declared."""
    projects = [p for p in need.projects(PAGE) if names.is_live(Address(CONTAINER, p))]
    starts = [_start(p) for p in projects if "start_page" in need.fields.get(PAGE, ())]
    return [_index(p) for p in projects] + starts


def _index(project: str) -> Listing:
    path = f"/projects/{project}/wiki/index"
    # 403: the module is off, which is the same as no pages here.
    none: Mapping[int, None] = {403: None, 404: None}
    return Listing(path, "wiki_pages", paged=False, number=f"{project}/{{title}}", none=none, seen_from=project)


def _start(project: str) -> Listing:
    """The start page; it may have been renamed, or never been there."""
    path, number, mark = f"/projects/{project}/wiki", f"{project}/{{title}}", {"start_page": True}
    return Listing(path, PAGE, ATTACHMENTS, single=True, number=number, none=GONE, mark=mark)


class _Pages(Kind[WikiPageSpec], abstract=True):
    """How pages are written."""

    def create(self, address: Address, values: Mapping[str, Any], context: Context) -> Request:
        """A PUT to a title that no page can have, with the real one in the body: 422 if such a page exists by now.

        A PUT to the real title would overwrite that page. The page `Sidebar` is protected under its own title only.
        """
        body = payload(self.fields, values, context)
        # No page has the version 0, so one that exists by now is a 409 and not overwritten.
        if str(values["title"]).casefold() == SIDEBAR:
            return Request("PUT", path_of(address.key), {self.name: {**body, "version": 0}}, once=True)
        return Request("PUT", path_of(f"{address.project}/{NO_PAGE}"), {self.name: body}, once=True)

    def update(self, address: Address, number: Id, values: Mapping[str, Any], context: Context) -> list[Request]:
        return attaching(self._update, address, number, values, context)

    def _update(self, address: Address, number: Id, values: Mapping[str, Any], context: Context) -> list[Request]:
        # Redmine drops a comment on a text that stays the same.
        sent = {name: value for name, value in values.items() if name != "comments" or "text" in values}
        if not sent:
            return []
        row = context.names.row(address) or {}
        # The text goes with every PUT (422 without it); the version turns somebody's edit since the plan into a 409.
        body = {"text": row.get("text"), "version": row.get("version"), **payload(self.fields, sent, context)}
        return [Request("PUT", path_of(number), {self.name: body})]

    def delete(self, address: Address, number: Id, context: Context) -> Request:
        return Request("DELETE", path_of(number))


class _ReadBack(ReadBack):
    """The index, and the start page: the index does not show which page that is."""

    def again(self, kind: Kind, ids: frozenset[Id], need: Need, names: Names) -> Iterable[list[Listing]]:
        return [_indexes(need, names)]

    def id_after(self, number: Id, values: Mapping[str, Any]) -> Id:
        return f"{split_key(str(number))[0]}/{values['title']}" if "title" in values else number


class _Dependencies(Dependencies):
    """A page above is moved away before this one is put below it."""

    def depends_on(
        self, address: Address, row: Row | None, values: Mapping[str, Any], changed: Iterable[str], context: Context
    ) -> Iterable[tuple[str, Address]]:
        if row is None or "parent" not in changed or not values.get("parent"):
            return
        # All pages above the new parent must be where they belong, so that this page is above none of them. The nearest
        # one that moves waits for those above it in turn.
        if key := moved_above(f"{context.project}/{values['parent']}", context.names):
            yield "parent", Address(PAGE, key)


class _KeptValues(KeptValues):
    """A protected wiki, or somebody else's edit."""

    def why_kept(self, kind: Kind, name: str, wanted: Any, row: Row, context: Context) -> str:
        if name == "text":
            return MEANWHILE
        right = {"title": "rename wiki pages", "parent": "rename wiki pages", "start_page": "manage the wiki"}.get(name)
        return f"the account may lack the permission to {right}, or {MEANWHILE}" if right else ""


class _Export(Exporting):
    """All pages but that of the lease."""

    def own(self, key: str, names: Names) -> bool:
        return key.casefold() == lease_page(names.settings).casefold()


class _Pruning(Pruning):
    """A page has no number: its title is in the path."""

    def link(self, kind: Kind, address: Address, number: Id) -> str:
        return path_of(number)


class WikiPages(_Pages):
    """One index for each project, which shows all its pages, and each declared page by itself."""

    name = PAGE
    plural = "wiki_pages"
    spec = WikiPageSpec
    inside = Inside(module="wiki")
    identity = ("title",)
    ignores_case = True
    required = ("text",)
    rank = 60
    capabilities = (
        Rights(("edit_wiki_pages",), ("edit_wiki_pages",), ("delete_wiki_pages",), {"title": ("rename_wiki_pages",)}),
        Rows({"id": ANY, "project": ANY, "version": WHOLE.optional}),
        # A PUT would overwrite a page that somebody created meanwhile: it is reported, never adopted.
        Creation(answers=False, adopts=False),
        Contents("wiki page", "wiki pages", path="wiki/index"),
        _ReadBack(),
        Deletion("also deletes its history and attachments"),
        _Dependencies(),
        _KeptValues(),
        _Pruning(),
        Audience(),
        _Export(own_files=True, text_files=True, defaults=(("start_page", False),)),
    )

    # -- identity ----------------------------------------------------------------------------------------------

    def key(self, spec: WikiPageSpec, project: str) -> str:
        # `renamed_from` is not a title as Redmine makes it yet.
        return f"{project}/{titleize(spec.title)}"

    def key_of(self, row: Row, context: Context) -> str | None:
        return str(row["id"])

    def check(self, declared: Object[WikiPageSpec], settings: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        spec = declared.spec
        if declared.address.key.casefold() == lease_page(settings).casefold():
            yield "title", "the lease of reconciler.yaml is kept on this page, so no manifest can declare it"
        if not spec.title:
            yield "title", f"the title is empty after Redmine removes {' '.join(REMOVED)}"
        if len(spec.title) > LONGEST:
            yield "title", f"expected at most {LONGEST} characters, found {len(spec.title)}"
        if any(unicodedata.category(c) in ("Cc", "Cs") for c in spec.title):
            yield "title", "a title cannot contain control characters"
        if spec.text is not None and not spec.text.strip():
            yield "text", "Redmine does not store a page without text"
        if spec.start_page is False:
            yield "start_page", "a wiki always has a start page: set `start_page: true` on another page instead"

    def conflicts(self, row: Row | None, values: Mapping[str, Any], context: Context) -> Iterable[tuple[str, str, str]]:
        if row is not None and REDIRECT in row:
            message = f'the title "{values["title"]}" redirects to a page that was renamed'
            yield "title", message, "open it in a browser, and declare the page under its current title"
            return
        parent = values.get("parent")
        own = None if row is None else context.key(PAGE, row["id"])
        if parent and own and is_above(own, f"{context.project}/{parent}", context.names):
            yield "parent", f'the page "{parent}" is below this one', "declare another parent for one of them"
        others = self._starts(context) - {f"{context.project}/{values['title']}"} if values.get("start_page") else ()
        if others:
            message = f"{' and '.join(sorted(others, key=natural))} is also declared as the start page"
            yield "start_page", message, "set `start_page` on only one of them"

    def _starts(self, context: Context) -> set[str]:
        planned = context.names.declared(PAGE).items()
        return {key for key, spec in planned if spec.start_page and split_key(key)[0] == context.project}

    # -- read --------------------------------------------------------------------------------------------------

    def tiers(self, need: Need, names: Names) -> Iterable[list[Listing]]:
        # The next tier is computed after this one was read: `_new` looks at the rows.
        yield _indexes(need, names)
        # A title that is not in the index may lead to a page that was renamed: writing there would change that one.
        # If that is the declared page of that earlier title, a new one can have the title.
        renamed = ((split_key(key)[0], spec) for key, spec in names.declared(PAGE).items() if spec.renamed_from)
        free = {earlier_key(self, spec, project).lower() for project, spec in renamed}
        keys = (key for key in sorted(need.keys.get(PAGE, ())) if key.lower() not in free)
        yield [self._title(key) for key in keys if self._new(key, names)]

    def _new(self, key: str, names: Names) -> bool:
        """Whether a declared page is to be created, as far as the index shows."""
        spec, address = names.declared(PAGE).get(key), Address(PAGE, key)
        if spec is None or names.id(address) is not None:
            return False
        old = spec.renamed_from and names.id(Address(PAGE, earlier_key(self, spec, address.project)))
        # A project that does not exist yet has no renamed pages either.
        return not old and address.project in names.live("project").ids

    def _title(self, key: str) -> Listing:
        # 302 as a row: `conflicts` reports it before a PUT edits the renamed page (test_trap_29).
        row = {"id": key, "title": split_key(key)[1], REDIRECT: True}
        # The index does not have it, so it is mostly not there.
        return replace(self._page(key, {**GONE, 302: row}), expected=GONE.keys())

    def _page(self, number: Id, none: Mapping[int, Row | None]) -> Listing:
        format_of_id = f"{split_key(str(number))[0]}/{{title}}"
        return Listing(path_of(number), PAGE, ATTACHMENTS, single=True, number=format_of_id, none=none)

    def lookup(self, address: Address, names: Names, values: Mapping[str, Any]) -> list[Listing]:
        page = self._page(address.key, GONE)
        return [page, _start(address.project)] if "start_page" in values else [page]

    def details(self, row: Row, fields: frozenset[str]) -> Listing | None:
        # 404: also for a page without a text, which a PUT without one leaves behind.
        return None if REDIRECT in row else self._page(row["id"], {404: None})

    # -- write -------------------------------------------------------------------------------------------------

    def losses(self, row: Row, values: Mapping[str, Any], changed: Collection[str], context: Context) -> Iterable[str]:
        yield from super().losses(row, values, changed, context)
        if not values:
            # Redmine keeps the pages below a deleted one, as top-level pages (5.0 to 6.1).
            planned, below = context.names.declared(PAGE), live_below(row, context.names)
            kept = sorted(set(below).difference(context.names.absent(PAGE)), key=natural)
            left = [k for k in kept if k not in planned or "parent" not in planned[k].model_fields_set]
            yield from [f"{', '.join(left)} will have no parent page"] if left else []


KINDS = (WikiPages(),)
