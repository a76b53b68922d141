"""What a kind's spec is made of: the common fields, the types of values, and `Api`, which maps a field to the API."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal

from msgspec import field
from msgspec.structs import replace
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetCoreSchemaHandler, StringConstraints
from pydantic_core.core_schema import CoreSchema, no_info_after_validator_function

from reconciler.model.codecs import Codec, blank, only_blanks
from reconciler.model.name_index import Context
from reconciler.record import Record


class Spec(BaseModel):
    """What every declared object has in common. Names of fields are Redmine's, without `_id`."""

    # `defer_build`: a kind that no manifest declares costs nothing.
    # `extra="forbid"`: a misspelt field is a problem, not a field that is never applied.
    model_config = ConfigDict(
        extra="forbid", frozen=True, coerce_numbers_to_str=True, allow_inf_nan=False, defer_build=True
    )

    state: Annotated[
        Literal["present", "absent"],
        Field(description="`absent` deletes the object. Default: present.", examples=["absent"]),
    ] = "present"
    renamed_from: Annotated[
        str | None,
        Field(description="The previous key: the object is renamed instead of created anew.", examples=["old-name"]),
    ] = None
    create_only: Annotated[
        tuple[str, ...],
        Field(description="Fields that are set on create and ignored afterwards.", examples=[["description"]]),
    ] = ()
    protect: Annotated[bool, Field(description="Refuse to delete the object. Default: false.", examples=[True])] = False


Id = int | str
"""What the API calls an object; a project that cannot be read has only its identifier."""

PARTIAL = "partial"
"""Marks a row that shows only part of an object (an archived project): what it lacks is not compared."""

COMMON = frozenset(Spec.model_fields)
"""Fields that control the reconciler and are never sent."""


Name = Annotated[str, StringConstraints(min_length=1)]


def _date(value: Any) -> Any:
    try:
        return value if value is None else _iso(str(value))
    except ValueError as error:
        raise ValueError("expected a date (YYYY-MM-DD)") from error


@lru_cache(maxsize=10_000)  # the same few days repeat in thousands of issues
def _iso(text: str) -> str:
    # Not `fromisoformat`, which from Python 3.11 on also takes 20261201 and 2026-W49-2.
    return dt.datetime.strptime(text, "%Y-%m-%d").date().isoformat()


Date = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\d$"), BeforeValidator(_date)]
Strings = list[Name]


def _reference(*forms: tuple[str, ...]) -> BeforeValidator:
    """A name, or a mapping with exactly the words of one of `forms`."""
    said = " or ".join("{" + ", ".join(f"{word}: …" for word in form) + "}" for form in forms)

    def check(value: Any) -> Any:
        if isinstance(value, Mapping):
            # Exactly these words: `{user: a, group: b}` would name two objects.
            valid = set(value) in map(set, forms) and all(isinstance(v, str) and v for v in value.values())
        else:
            valid = value is None or not isinstance(value, list)
        if not valid:
            raise ValueError(f"expected a name or {said}")
        return value

    return BeforeValidator(check)


Principal = Annotated[str | dict[str, str], _reference(("user",), ("group",))]
VersionName = Annotated[str | dict[str, str], _reference(("project", "name"))]
IssueName = Annotated[str | dict[str, str], _reference(("project", "key"))]


class ProjectItem(Spec):
    """What is inside a project: nested in it, or at top level with `project:`."""

    project: Annotated[Name, Field(description="Identifier of the project; implied by nesting.", examples=["web-shop"])]


class Deferred(Record):
    """A field that is written in a later step of the same `apply`, when other planned work concerns it.

    `when(value, context)` says for which canonical values. With `wait="itself"` it only waits for the object's other
    fields; with `"referrers"` for all work on the objects that refer to this one (through the fields `via`, or any);
    with `"references"` for the objects that the value names, and for those of the kinds `inside` the object; with
    `"creations"` as with `"references"`, but only if there are new objects that the value would fill (see `fills`).
    """

    wait: Literal["itself", "referrers", "references", "creations"]
    # A blank value names nothing, so there is nothing to wait for.
    when: Callable[[Any, Context], bool] = lambda value, context: not blank(value)
    via: frozenset[str] = frozenset()
    inside: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()
    """Kinds whose objects in the same project are created and changed before, whether that succeeds or not."""
    fills: str = ""
    """The field of new objects of the kinds `behind` (that refer to this one through `via`, if given) that Redmine
    itself fills with this value. Set earlier, it would depend on the order of requests which of them get it."""


class Gate(Record):
    """A field whose live value can forbid work on other objects (a locked version takes no issue).

    When such work is planned, the field is first set to `open`, and afterwards to its old or its declared value.
    `via` are the referrers' fields whose change needs the gate open (empty: any work inside a project): `field` of any
    kind, or `kind.field`.
    """

    open: str
    shut: frozenset[str]
    via: frozenset[str] = frozenset()
    guards_access: bool = False
    """Whether to open it gives somebody access. It is opened only if the manifest declares the field, so that the next
    run closes it if this one is killed; and it is closed whatever fails, also by a run that is interrupted."""


class Api(Record):
    """How a field of a spec is sent and read.

    codec       translates between manifest, canonical form and the API
    write, read the field's names in payloads and in answers; "" is the field's own name, None is "not at all"
    clear       what is sent for an explicit null; REFUSE: Redmine cannot clear it (a Problem)
    include     the `include=` that makes lists show it; such fields are not in the answer to a POST
    detail      it is shown by the object's own page only
    create_only it is sent on create and never compared (write-only, or fixed by Redmine)
    update_only Redmine takes it only on an object that exists
    along       it is no property of the object but is sent with a change of these fields (the comment on an edit)
    secret      its value must never be shown
    local       it says which object is meant, and is never sent
    date        it is a day, YYYY-MM-DD
    unique      Redmine refuses a second object of the kind with the same value, compared without case; a key is unique
                anyway
    main_text   it is the text that the object is about
    program     the API has no such field: only the program inside Redmine reads and writes it, when everything else of
                the object is written (`plan.catalog`)
    label       what Redmine's English sentences call it ("Email is invalid"; `field_*` in its config/locales/en.yml);
                "" is the field's own name: "Due date"
    """

    codec: Codec = field(default_factory=Codec)
    write: str | None = ""
    # "" and None differ: the field's own name, and not at all.
    read: str | None = ""
    clear: Any = None
    include: str = ""
    detail: bool = False
    create_only: bool = False
    update_only: bool = False
    along: frozenset[str] = frozenset()
    secret: bool = False
    local: bool = False
    date: bool = False
    unique: bool = False
    main_text: bool = False
    program: bool = False
    deferred: Deferred | None = None
    gate: Gate | None = None
    label: str = ""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The schema of a field with this annotation: one that cannot be cleared must have more than blanks."""
        schema = handler(source)
        # The text of a wiki page has a check, and a sentence, of its own.
        checked = self.clear is REFUSE and not self.detail
        return no_info_after_validator_function(_filled, schema) if checked else schema

    @property
    def in_answer(self) -> bool:
        """Whether the answer to a POST says what became of the field."""
        return self.shown_on_create and not (self.create_only or self.read is None)

    @property
    def shown_on_create(self) -> bool:
        """Whether the answer to a POST shows the field, if any does: what it does not show is read back."""
        return not (self.include or self.detail or self.program)


# An object of its own, as None is a value that can be sent to clear a field.
REFUSE: Any = object()
DEFAULT = Api()
LOCAL = Api(local=True)


def _filled(value: Any) -> Any:
    """Redmine takes a text of blanks for none, also of those that are not spaces (422, 5.0 to 6.1)."""
    # `isspace` first, which is faster: it is true of all these, and of a few more.
    if isinstance(value, str) and value.isspace() and only_blanks(value):
        raise ValueError("expected more than blanks")
    return value


def resolved(name: str, api: Api) -> Api:
    """The same, with the field's own name where none is given for the API."""
    read, write = (name if given == "" else given for given in (api.read, None if api.program else api.write))
    return replace(api, write=write, read=read, label=api.label or name.replace("_", " ").capitalize())


class Secret:
    """A value that is never shown: not in a plan, a log or a traceback. `expression` is what the manifest says for it
    (`${NAME}`), or "" if the manifest holds the secret itself."""

    __slots__ = ("_value", "expression")

    def __init__(self, value: str, expression: str = "") -> None:
        self._value = value
        self.expression = expression

    def reveal(self) -> str:
        """The secret itself, for the request that needs it."""
        return self._value

    def __repr__(self) -> str:
        # pydantic, logging and tracebacks use the repr, so it must be safe by itself.
        return "(secret)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)
