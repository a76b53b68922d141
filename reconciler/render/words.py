"""The wording of plans and results, the same in every format. Nothing here is escaped."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from reconciler.errors import Location
from reconciler.kinds import kinds
from reconciler.model.codecs import blank
from reconciler.natural import natural
from reconciler.plan.archived_projects import opened
from reconciler.plan.diff import detail
from reconciler.plan.operations import FieldChange
from reconciler.record import Record
from reconciler.render import edited_lists
from reconciler.render.safe import terminal

# Not at run time: text is rendered without importing what sends requests
# (test_rendering_text_imports_no_heavy_library).
if TYPE_CHECKING:
    from reconciler.apply.report import ItemError, Outcome, Report, Result
    from reconciler.model.address import Address
    from reconciler.plan.operations import Action, Change, Operation, Plan

SYMBOLS: Mapping[Action, str] = {"create": "+", "update": "~", "delete": "-"}
VERBS: Mapping[Action, str] = {"create": "create", "update": "change", "delete": "delete"}
PAST: Mapping[Action, str] = {"create": "created", "update": "changed", "delete": "deleted"}
DID = ("created", "adopted", "changed", "deleted")
OUTCOMES: Mapping[Outcome, str] = {
    "done": "done",
    "failed": "failed",
    "skipped": "skipped",
    "unknown": "unknown",
    "left": "not started",
}
NONE = "(none)"
LONG = 100
"""Characters of old and new value together up to which they are shown side by side."""
FEW = 3
"""Items of a set up to which old and new set are shown side by side."""
SHORT = 12
"""Characters of a digest to show."""
NEW_LINES = 20
"""Lines to show of a text that is added or removed completely."""
NAMED = 3
"""Objects to list by name that an operation waits for; more are counted by kind."""
UNKNOWN = "The outcome is unknown. Run `reconciler plan`, and apply again if the change is still planned."
GO_ON = "Run the same command again to finish."
REST = "Without the objects that have problems, and what depends on them, `apply --keep-going` would do this:"

_TRAILING = re.compile(r"[ \t]+$")
_VISIBLE = str.maketrans({" ": "·", "\t": "⇥"})


# -- values ----------------------------------------------------------------------------------------------------


def value(canonical: Any, *, item: bool = False) -> str:
    """A canonical value; an `item` is one of several on a line."""
    if blank(canonical):
        return NONE
    if isinstance(canonical, list | tuple):
        text = ", ".join(value(v, item=True) for v in canonical)
        return f"[{text}]" if item else text
    if isinstance(canonical, Mapping):
        return _mapping(canonical)
    if isinstance(canonical, str):
        return _text(canonical, item=item)
    return "true" if canonical is True else "false" if canonical is False else str(canonical)


def _mapping(parts: Mapping[str, Any]) -> str:
    name = parts.get("name", parts.get("key"))
    if len(parts) == 2 and "project" in parts and name is not None:
        return f"{value(name, item=True)} of {value(parts['project'], item=True)}"
    # The id of a file; alone, it is the name of a column that a query is sorted by.
    named = {k: part for k, part in parts.items() if k != "id" or len(parts) == 1}
    shown = {k: f"{part[:SHORT]}…" if k == "sha256" and part else part for k, part in named.items()}
    pairs = [(str(key), value(part, item=True)) for key, part in shown.items()]
    return " ".join(pairs[0]) if len(pairs) == 1 else "{" + ", ".join(": ".join(pair) for pair in pairs) + "}"


def _text(text: str, *, item: bool) -> str:
    """A text literally, or quoted if it could be mistaken for something else."""
    ambiguous = text != text.strip() or text.startswith(('"', "(")) or "\n" in text or " → " in text
    return json.dumps(text, ensure_ascii=False) if ambiguous or (item and ", " in text) else text


def pair(before: Any, after: Any) -> tuple[str, str]:
    """Two different values, in a notation in which they look different."""
    old, new = value(before), value(after)
    # Different types, as 1 and "1", or characters that are replaced before they are shown.
    if terminal(old) == terminal(new):
        return json.dumps(before, default=repr), json.dumps(after, default=repr)
    return old, new


def _leaves(canonical: Any) -> Any:
    """A list or mapping with its leaves as `value` shows them."""
    if isinstance(canonical, Mapping) and not _is_name(canonical):
        return {str(key): _leaves(part) for key, part in canonical.items()}
    if isinstance(canonical, list | tuple):
        return [value(part) for part in canonical]
    return value(canonical)


def _is_name(parts: Mapping[str, Any]) -> bool:
    return len(parts) == 1 or (len(parts) == 2 and "project" in parts)


# -- fields ----------------------------------------------------------------------------------------------------


class Field(Record):
    """One changed field in words.

    If there are `lines` (a diff from `detail`), they replace `before` and `after`. `before` is None for a new value.
    `number` is that of the operation; the last field of a later one has what it `waits` for. `place` is the `file:line`
    of a value that comes from another file than the object, such as an overlay.
    """

    label: str
    before: str | None = None
    after: str = ""
    lines: tuple[str, ...] = ()
    number: int = 0
    waits: str = ""
    place: str = ""


def fields(change: Change, most: int = NEW_LINES) -> Iterator[Field]:
    """All fields of a change; those of later operations come last. Of a new text, `most` lines are shown."""
    created = change.action == "create"
    for changed in change.fields:
        yield _placed(field(changed, new=created or _is_write_only(change, changed), most=most), changed, change)
    for operation in change.later:
        for changed in operation.fields:
            waits = waits_for(operation) if changed is operation.fields[-1] else ""
            shown = field(changed, new=created, number=operation.id.number, waits=waits, most=most)
            yield _placed(shown, changed, change)


def _placed(shown: Field, changed: FieldChange, change: Change) -> Field:
    """A field with its place, if that is in another file than the object."""
    there = changed.location
    elsewhere = there is not None and there.file != change.source.file
    return replace(shown, place=_place(there)) if there is not None and elsewhere else shown


def _is_write_only(change: Change, changed: FieldChange) -> bool:
    """Whether the server never returns a field, so that its previous value is unknown."""
    api = kinds()[change.address.kind].fields.get(changed.path.partition(".")[0])
    return api is not None and api.read is None and changed.before is None


def field(change: FieldChange, *, new: bool, number: int = 0, waits: str = "", most: int = NEW_LINES) -> Field:
    """A field change in words."""
    name = label(change.path)
    if lines := _lines(change.before, change.after, most):
        return Field(name, lines=tuple(map(visible, lines)), number=number, waits=waits)
    if new:
        return Field(name, None, value(change.after), number=number, waits=waits)
    before, after = pair(change.before, change.after)
    if len(before) + len(after) > LONG:
        return Field(name, lines=(f"-{before}", f"+{after}"), number=number, waits=waits)
    return Field(name, before, after, number=number, waits=waits)


def label(path: str) -> str:
    """A path in words: `due_date` as in the manifest, `custom_fields.Size` as `custom field Size`."""
    name, _, part = path.partition(".")
    return f"{name.removesuffix('s').replace('_', ' ')} {part}" if part else name


def _lines(before: Any, after: Any, most: int) -> list[str]:
    """The diff of a value that is long: a text of several lines, a large set, a mapping. Empty for other values."""
    sides = [side for side in (before, after) if not blank(side)]
    if sides and all(isinstance(side, str) for side in sides):
        return _text_lines(sides, blank(before), most) if any("\n" in side for side in sides) else []
    if len(sides) < 2:
        return []
    if all(isinstance(side, list | tuple) for side in sides):
        if edited_lists.is_edited(after):
            return edited_lists.lines(before, after, value)
        return _set_lines(*sides) if max(map(len, sides)) > FEW or sum(len(value(s)) for s in sides) > LONG else []
    nested = all(isinstance(side, Mapping) and not _is_name(side) for side in sides)
    return detail(_leaves(before), _leaves(after)) if nested else []


def _text_lines(sides: list[str], new: bool, most: int) -> list[str]:
    """The diff of two texts, or the first lines of one that is added or removed completely."""
    # A line break at the end of both would only show as an empty line.
    if all(side.endswith("\n") for side in sides):
        sides = [side.removesuffix("\n") for side in sides]
    if len(sides) == 2:
        return detail(sides[0], sides[1])
    body = (detail(None, sides[0]) if new else detail(sides[0], None))[1:]
    more = len(body) - most
    # A note about one more line would be as long as that line.
    return body if more <= 1 else [*body[:most], f"@@ {more} more lines @@"]


def _set_lines(before: Any, after: Any) -> list[str]:
    """The items that are added to and removed from a set, and the number of unchanged ones."""
    lines = detail(_leaves(before), _leaves(after))
    unchanged = len(after) - sum(line.startswith("+") for line in lines)
    return [*lines, f" … {unchanged} unchanged"] if unchanged else lines


def visible(line: str) -> str:
    """A line of a diff with its trailing white space made visible."""
    return line[:1] + _TRAILING.sub(lambda match: match[0].translate(_VISIBLE), line[1:])


# -- objects ---------------------------------------------------------------------------------------------------


def head(change: Change, number: int | str | None = None) -> str:
    """The name of the object, with its id on the server."""
    shown = change.id if number is None else number
    return f"{change.address} (#{shown})" if isinstance(shown, int) else str(change.address)


def place(change: Change) -> str:
    """`file:line` in the manifest, or "" for an undeclared object."""
    return _place(change.source)


def error_place(change: Change, error: ItemError) -> str:
    """`file:line` of the field that an error is about, or "" if that is the place of the object."""
    there = _place(error.location)
    return "" if there == place(change) else there


def _place(location: Location) -> str:
    return f"{location.file}:{location.line}" if location.line else location.file


def waits_for(operation: Operation) -> str:
    """`after issue web-shop/login, …`, or numbers by kind; "" if it only follows operations on its own object."""
    others = operation.waits_for
    if len(others) <= NAMED:
        return f"after {', '.join(map(str, others))}" if others else ""
    return f"after {by_kind(others)}"


def by_kind(addresses: Sequence[Address]) -> str:
    """`12 issues, 1 project`."""
    counts = Counter(address.kind for address in addresses)
    return ", ".join(count(number, kind) for kind, number in sorted(counts.items()))


def count(number: int, kind: str) -> str:
    """`1 issue category`, `12 issue categories`."""
    return f"{number} {kind.replace('_', ' ') if number == 1 else plural(kind)}"


def plural(kind: str) -> str:
    """`issue categories`."""
    known = kinds().entries.get(kind)
    return (known.plural if known else f"{kind}s").replace("_", " ")


def ranked(counts: Iterable[tuple[str, Any]]) -> list[str]:
    """The kinds in what is counted by kind and something else, in the order in which they are made."""
    found = {kind for kind, _ in counts}
    return [*(kind for kind in kinds() if kind in found), *sorted(found - kinds().keys())]


def unchanged(plan: Plan) -> str:
    """The sentence for an empty plan."""
    return " ".join([f"No changes. {plan.url} matches the manifests.", *_uncompared(plan)])


def notes(plan: Plan) -> list[str]:
    """Further sentences for an empty plan."""
    return [*warnings(plan), *_unmanaged(plan)]


def destroyed(plan: Plan) -> tuple[list[Change], list[Change]]:
    """What is deleted or pruned, and the other changes."""
    first = [change for change in plan.changes if change.action == "delete" or change.undeclared]
    return first, [change for change in plan.changes if change.action != "delete" and not change.undeclared]


def deletions_first(plan: Plan) -> list[Change]:
    """The changes as they are shown: what is destroyed must not be overlooked, although it is done last."""
    return [change for group in destroyed(plan) for change in group]


def remarks(plan: Plan) -> list[str]:
    """Sentences about objects that are not compared, and warnings."""
    return [*_uncompared(plan), *warnings(plan), *_unmanaged(plan)]


def _unmanaged(plan: Plan) -> list[str]:
    """How many live objects no manifest declares, if they are not listed."""
    number = len(plan.unmanaged.objects)
    if not number or plan.unmanaged.listed:
        return []
    verb = "is" if number == 1 else "are"
    return [f"{_objects(plan.unmanaged.objects)} in these projects {verb} in no manifest (--unmanaged lists them)."]


def warnings(plan: Plan) -> list[str]:
    """A sentence for each warning."""
    return [f"Warning: {w.source.file}:{w.source.line}: {w.address}: {w.message}." for w in plan.warnings]


def _uncompared(plan: Plan) -> list[str]:
    sentences = []
    if plan.uncompared:
        projects = ", ".join(sorted({a.project for a in plan.uncompared}, key=natural))
        what = f"{_objects(plan.uncompared)} in archived projects ({projects})"
        sentences.append(f"Not compared: {what}, which the API does not show. Use --unarchive to compare them.")
    if plan.revealed:
        projects = ", ".join(c.address.key for c in opened(plan))
        sentences.append(f"Compared later: {_objects(plan.revealed)}, after unarchiving {projects}.")
    return sentences


def _objects(found: Sequence[Any]) -> str:
    return "1 object" if len(found) == 1 else f"{len(found)} objects"


def summary(plan: Plan) -> str:
    """The one fixed line about a plan."""
    n = plan.summary
    return (
        f"Plan: {n['create']} to create, {n['update']} to change, {n['delete']} to delete, {n['unchanged']} unchanged."
    )


def outcome(report: Report) -> str:
    """The one fixed line about an apply; what was not started is only mentioned if there is any."""
    counts = [f"{number} {name}" for name, number in report.summary.items() if name != "left"]
    left = report.summary["left"]
    return f"Applied: {', '.join([*counts, *([f'{left} not started'] if left else [])])}."


def ended(report: Report) -> str:
    """Why the run ended early, and how to go on; "" if it did not."""
    return f"{report.ended} {GO_ON}" if report.ended and not report.refused else report.ended


def heading(name: Outcome, results: list[Result]) -> str:
    """`Failed: 3`, `Done: 2 created, 1 changed`, `Not started: 272`."""
    title = "Not started" if name == "left" else name.capitalize()
    return f"{title}: {happened(results) if name == 'done' else len(results)}"


def happened(results: list[Result]) -> str:
    """`2 created, 1 adopted, 1 changed`: what occurred."""
    counts = Counter("adopted" if result.adopted else PAST[result.change.action] for result in results)
    return ", ".join(f"{counts[verb]} {verb}" for verb in DID if counts[verb])


def problems(number: int) -> str:
    """The one fixed line about problems."""
    return "No problems." if number == 0 else f"{number} problem{'' if number == 1 else 's'}."
