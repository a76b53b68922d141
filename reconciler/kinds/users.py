"""Users: `GET/POST /users`, `PUT/DELETE /users/:id`; for administrators only."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from msgspec.structs import replace
from pydantic import Field, SecretStr, StringConstraints

from reconciler.kinds._auth_source import AuthSource
from reconciler.kinds._mail import fault as mail_fault
from reconciler.kinds._preferences import PREFERENCES, PreferenceCodec, Preferences
from reconciler.manifest.loader import suggest
from reconciler.model.address import Address, Row
from reconciler.model.capabilities import Deletion, OwnAccount, PartialRows, People
from reconciler.model.codecs import Codec
from reconciler.model.custom_fields import CustomFields
from reconciler.model.doubts import Doubts
from reconciler.model.export_hooks import Exporting
from reconciler.model.forms import WHOLE
from reconciler.model.kind import Kind, Listing, Need, Object, Request
from reconciler.model.name_index import Context, Names
from reconciler.model.pruning import Pruning
from reconciler.model.requests import includes
from reconciler.model.spec import PARTIAL, REFUSE, Api, Deferred, Gate, Id, Name, Spec
from reconciler.model.visibility import ADMINISTRATOR, Unlisted

STATUS = {"active": 1, "registered": 2, "locked": 3}
LANGUAGES = (
    *("ar", "az", "bg", "bs", "ca", "cs", "da", "de", "el", "en", "en-GB", "es", "es-PA", "et"),
    *("eu", "fa", "fi", "fr", "gl", "he", "hr", "hu", "id", "it", "ja", "ko", "lt", "lv"),
    *("mk", "mn", "nl", "no", "pl", "pt", "pt-BR", "ro", "ru", "sk", "sl", "sq", "sr", "sr-YU"),
    *("sv", "ta-IN", "th", "tr", "uk", "vi", "zh", "zh-TW"),
)
"""Redmine's `config/locales` (6.1; before 6.0 without `ta-IN`). It stores any other text as well."""
SHORT = 30
LIMIT = f"before Redmine 5.1 a last name has at most {SHORT}"
ACTIVE_ONLY = frozenset(
    {
        *("issue.assigned_to", "issue.author", "issue.notes", "issue.watchers"),
        *("wiki_page.watchers", "news.watchers", "time_entry.user", "custom_fields"),
    }
)
"""Fields that Redmine lets name active users only: 422, 412 for whom a request acts as, 204 and dropped for watchers
(5.0 to 6.1). Default assignees, members and users of groups can be locked."""


class UserStatus(Codec):
    """1 active, 2 registered (waits for activation), 3 locked."""

    form = WHOLE

    def decode(self, wire: Any, context: Context) -> Any:
        return next((name for name, number in STATUS.items() if number == wire), wire)

    def encode(self, value: Any, context: Context) -> Any:
        return STATUS[value]


class UserSpec(Spec):
    """An account. Its identity is the login, which Redmine compares without case."""

    login: Annotated[
        Name,
        StringConstraints(pattern=r"^[A-Za-z0-9_\-@.]+$", max_length=60),
        Field(description="Letters, digits, underscores, hyphens, @ and dots only.", examples=["jsmith"]),
        Api(clear=REFUSE),
    ]
    firstname: Annotated[
        Name | None,
        StringConstraints(max_length=30),
        Field(description="At most 30 characters.", examples=["John"]),
        Api(clear=REFUSE, label="First name"),
    ] = None
    lastname: Annotated[
        Name | None,
        StringConstraints(max_length=255),
        Field(description="At most 255 characters (30 before Redmine 5.1).", examples=["Smith"]),
        Api(clear=REFUSE, label="Last name"),
    ] = None
    mail: Annotated[
        Name | None,
        StringConstraints(max_length=254),
        Field(description="E-mail address, unique; at most 254 characters.", examples=["jsmith@example.net"]),
        Api(clear=REFUSE, unique=True, label="Email"),
    ] = None
    admin: Annotated[
        bool | None,
        Field(description="Whether the user is an administrator. Default: false.", examples=[False]),
        # null is a 500 for `admin`, `mail_notification` and `must_change_passwd` (seen on 5.0).
        Api(clear=REFUSE, label="Administrator"),
    ] = None
    status: Annotated[
        Literal["active", "locked", "registered"] | None,
        Field(
            description="`active`; `locked`, after all changes that refer to the user; or `registered`: waits for "
            "activation. Redmine mails whoever is activated. Default: active.",
            examples=["locked"],
        ),
        Api(
            codec=UserStatus(),
            clear=REFUSE,
            deferred=Deferred("referrers", when=lambda value, context: value == "locked"),
            gate=Gate("active", frozenset({"locked"}), via=ACTIVE_ONLY, guards_access=True),
        ),
    ] = None
    language: Annotated[
        str | None,
        Field(
            description="Language code (`en`, `pt-BR`), set on create. null: the language of the browser.",
            examples=["en-GB"],
        ),
        Api(read=None, create_only=True, clear=""),
    ] = None
    mail_notification: Annotated[
        Literal["all", "selected", "only_my_events", "only_my_watches", "only_assigned", "only_owner", "none"] | None,
        Field(
            description="Email notifications, set on create (`only_my_watches` from Redmine 7.0). Default: the "
            "server's setting.",
            examples=["only_assigned"],
        ),
        Api(read=None, create_only=True, clear=REFUSE, label="Email notifications"),
    ] = None
    auth_source: Annotated[
        str | None,
        Field(
            description="Authentication mode, by name (one of `auth_sources`, or one that users or the program inside "
            'Redmine show), else by id as `"#3"` or `"#3 (NAME)"`. Compared from Redmine 6.0; before, set on create '
            "only. null: Redmine's own password.",
            examples=["LDAP"],
        ),
        Api(codec=AuthSource(), write="auth_source_id", include="auth_source", clear="", label="Authentication mode"),
    ] = None
    password: Annotated[
        SecretStr | None,
        Field(description="Password, set on create. Write it as ${NAME}.", examples=["${JSMITH_PASSWORD}"]),
        # Each PUT with a password counts as a change of it (5.0 to 6.1; test_trap_34), and mails the user.
        Api(read=None, create_only=True, secret=True, clear=REFUSE),
    ] = None
    generate_password: Annotated[
        bool | None,
        Field(description="Whether Redmine generates a password on create.", examples=[True]),
        Api(read=None, create_only=True, clear=REFUSE),
    ] = None
    must_change_passwd: Annotated[
        bool | None,
        Field(
            description="Whether the user must change the password at the first login; set on create.", examples=[True]
        ),
        Api(read=None, create_only=True, clear=REFUSE, label="Must change password at next logon"),
    ] = None
    send_information: Annotated[
        bool | None,
        Field(
            description="Whether Redmine mails the account data, including the password, to the user; on create.",
            examples=[True],
        ),
        # No `write`: Redmine expects it beside "user", not inside; `create` puts it there.
        Api(write=None, read=None, create_only=True, clear=REFUSE),
    ] = None
    pref: Annotated[
        Preferences | None,
        Field(
            description=f"Preferences, set on create: {', '.join(PREFERENCES)}.",
            examples=[{"time_zone": "Berlin", "hide_mail": True}],
        ),
        # Also beside "user": the payload has it inside, and `_beside` moves it.
        Api(codec=PreferenceCodec(), read=None, create_only=True, clear=REFUSE),
    ] = None
    custom_fields: Annotated[
        dict[str, Any] | None,
        Field(description="Custom fields by name.", examples=[{"Phone": "+49 30 123456"}]),
        Api(codec=CustomFields("user"), clear=REFUSE),
    ] = None


class _Rows(PartialRows):
    """Lists show the authentication mode from 6.0 on, as they do the status."""

    def shows(self, kind: Kind, row: Row, name: str, values: Mapping[str, Any]) -> bool:
        # An absent key alone says nothing: before 6.0 no list has it, later those of users without a mode lack it.
        return super().shows(kind, row, name, values) and (name != "auth_source" or "status" in row)


class _OwnAccount(OwnAccount):
    """The account that the reconciler works with must keep its access."""

    def forbids(self, declared: Object[UserSpec], me: Row) -> Iterable[tuple[str, str]]:
        spec, login = declared.spec, str(me.get("login", ""))
        own = "this is the account that applies the plan"
        # Another case would be a rename as well, although the login is compared without case.
        if spec.login != login and login.casefold() in (spec.login.casefold(), str(spec.renamed_from).casefold()):
            yield "login", f'{own}, so its login "{login}" cannot be changed'
        if spec.login.casefold() != login.casefold():
            return
        if spec.state == "absent":
            yield "state", f"{own}, so it cannot be deleted"
        if spec.admin is False and me.get("admin"):
            yield "admin", f"{own}, so it must stay an administrator"
        if spec.status == "locked":
            yield "status", f"{own}, so it cannot be locked"
        if spec.status == "registered":
            yield "status", f"{own}, so it must stay active"


class _Pruning(Pruning):
    """Users are locked: what they wrote stays theirs."""

    def why_kept(self, row: Row) -> str:
        # Whoever applies the plan is one too, so there is always an administrator left.
        return "administrators are never pruned" if row.get("admin") else ""


class _LongNames(Doubts):
    """What only a newer Redmine stores."""

    def about(
        self, kind: Kind, row: Row | None, values: Mapping[str, Any], context: Context
    ) -> Iterable[tuple[str, str]]:
        # Lists show the status from 6.0 on.
        newer = any("status" in row for row in context.names.live("user").rows.values())
        if _is_long(row, values) and not newer and not _before_5_1(context.names):
            yield "lastname", f"{len(values['lastname'])} characters; {LIMIT}"


def _is_long(row: Row | None, values: Mapping[str, Any]) -> bool:
    name = values.get("lastname") or ""
    return len(name) > SHORT and (row is None or row.get("lastname") != name)


def _before_5_1(names: Names) -> bool:
    """Whether the server is known to be a Redmine 5.0."""
    return names.sees_definitions and not names.lists_common_fields


class _Unlisted(Unlisted):
    """The own page of an active user shows the login to everybody who may see the user (5.0 to 7.0)."""

    def page(self, number: Id) -> Listing | None:
        # Of users who are not active the page is 404, so these are; what it does not show is not compared.
        mark = {"listed": 1, "status": 1, PARTIAL: True}
        none: Mapping[int, None] = {403: None, 404: None}
        return Listing(f"/users/{number}", "user", single=True, mark=mark, none=none, expected=none.keys())

    def own(self, me: Row) -> Row | None:
        return {**me, "listed": 1, "status": 1, PARTIAL: True}

    def configured(self, settings: Mapping[str, Any]) -> Mapping[str, int]:
        return dict(settings.get("user_ids") or {})

    def assumed(self, key: str, number: Id) -> Row | None:
        return {"id": number, "login": key, PARTIAL: True}


class Users(Kind[UserSpec]):
    """Only active users are listed by default; a lock shows by the list that a user is in (5.0 to 7.0)."""

    name = "user"
    plural = "users"
    spec = UserSpec
    identity = ("login",)
    ignores_case = True
    required = ("firstname", "lastname", "mail")
    rank = 10
    capabilities = (
        Deletion(
            "assigns its contributions and time entries to Anonymous; deletes its memberships, private queries and "
            "assignments (`status: locked` keeps them)"
        ),
        _Rows(),
        _OwnAccount(),
        _Pruning(instead=(("status", "locked"),)),
        People(),
        _LongNames(),
        _Unlisted(
            "membership", ("user", "author", "assigned_to"), f"{ADMINISTRATOR}, or set user_ids in reconciler.yaml"
        ),
        Exporting(defaults=(("status", "active"), ("admin", False)), unshown=frozenset({"auth_source"})),
    )

    def tiers(self, need: Need, names: Names) -> Iterable[list[Listing]]:
        include = includes(self.fields, need.fields.get(self.name, ()))
        # One list a status: `status=` means all up to 5.1 but is 422 later, `status=*` is nothing on 5.0.
        # Reading ends when all names are found: most are active, registered users are rarely named.
        for status in (1, 3, 2):
            yield [self._list(status, include)]

    def lookup(self, address: Address, names: Names, values: Mapping[str, Any]) -> list[Listing]:
        # `name` finds parts of logins, names and addresses; `login=` is ignored before 5.1.
        # It may show too many: every row is checked by `ReadBack.identifies` (test_trap_22).
        query = (("name", address.key), *includes(self.fields, self.fields))
        # The registered ones too: somebody may have registered with the login since the plan was made.
        return [self._list(status, query) for status in (1, 3, 2)]

    def _list(self, status: int, query: tuple[tuple[str, str], ...]) -> Listing:
        return Listing("/users", "users", (("status", status), *query), mark={"listed": status})

    def live(self, row: Row, name: str, context: Context) -> Any:
        # Lists show the status from 6.0 on.
        return super().live({"status": row.get("listed"), **row}, name, context)

    def create(self, address: Address, values: Mapping[str, Any], context: Context) -> Request:
        mail = {"send_information": True} if values.get("send_information") else {}
        return _beside(super().create(address, values, context), mail)

    def update(self, address: Address, number: Id, values: Mapping[str, Any], context: Context) -> list[Request]:
        return [_beside(request, {}) for request in super().update(address, number, values, context)]

    def check(self, declared: Object[UserSpec], settings: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        spec = declared.spec
        if spec.state == "present" and spec.password and spec.generate_password:
            yield "generate_password", "set either password or generate_password, not both"
        for name in ("password", "generate_password") if spec.auth_source else ():
            if getattr(spec, name):
                yield name, "Redmine stores no password for users with an authentication mode: omit it"
        if spec.language and spec.language not in LANGUAGES:
            hint = suggest(spec.language, LANGUAGES)
            yield "language", f'unknown language "{spec.language}"{": " if hint else ""}{hint}'

    def conflicts(self, row: Row | None, values: Mapping[str, Any], context: Context) -> Iterable[tuple[str, str, str]]:
        if _is_long(row, values) and _before_5_1(context.names):
            yield "lastname", f"lastname: {len(values['lastname'])} characters; {LIMIT}", "shorten it"
        # Only a new address is checked, so an old one may be anything.
        mail = values.get("mail")
        if mail and mail != (row or {}).get("mail") and (wrong := mail_fault(mail)):
            yield "mail", f'mail: "{mail}": {wrong}', "correct it"


def _beside(request: Request, more: Mapping[str, Any]) -> Request:
    """The request with the preferences, and more, beside the user, where Redmine expects them (5.0 to 7.0)."""
    # A copy: the body is a plain dictionary, and others may hold the same request.
    user = dict((request.body or {})["user"])
    pref = {"pref": user.pop("pref")} if "pref" in user else {}
    return replace(request, body={"user": user, **pref, **more})


KINDS = (Users(),)
