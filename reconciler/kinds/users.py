"""Users: `GET/POST /users`, `PUT/DELETE /users/:id`; for administrators only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, StringConstraints

from reconciler.codecs import Codec
from reconciler.customfields import CustomFields
from reconciler.kind import Kind, Listing, Need, Object
from reconciler.names import Address, Context, Names, Row
from reconciler.spec import REFUSE, Api, Deferred, Name, Spec

STATUS = {"active": 1, "registered": 2, "locked": 3}


class UserStatus(Codec):
    """1 active, 2 registered (not declarable), 3 locked."""

    def decode(self, wire: Any, context: Context) -> Any:
        return next((name for name, number in STATUS.items() if number == wire), wire)

    def encode(self, value: Any, context: Context) -> Any:
        return STATUS[value]


class UserSpec(Spec):
    """An account. Its identity is the login, which Redmine compares without case."""

    login: Annotated[
        Name,
        StringConstraints(pattern=r"^[A-Za-z0-9_\-@.]+$", max_length=60),
        Field(description="Letters, digits, underscores, hyphens, @ and dots only."),
        Api(clear=REFUSE),
    ]
    firstname: Annotated[
        str | None, StringConstraints(max_length=30), Field(description="At most 30 characters."), Api(clear=REFUSE)
    ] = None
    lastname: Annotated[
        str | None,
        StringConstraints(max_length=255),
        Field(description="At most 255 characters (30 before Redmine 5.1)."),
        Api(clear=REFUSE),
    ] = None
    mail: Annotated[str | None, Field(description="E-mail address, unique."), Api(clear=REFUSE)] = None
    admin: Annotated[
        bool | None, Field(description="Whether the user is an administrator. Default: false."), Api(clear=REFUSE)
    ] = None
    status: Annotated[
        Literal["active", "locked"] | None,
        Field(description="`active` or `locked`; locked after all work that names the user. Default: active."),
        Api(
            codec=UserStatus(),
            clear=REFUSE,
            deferred=Deferred("referrers", when=lambda value, context: value == "locked"),
        ),
    ] = None
    password: Annotated[
        SecretStr | None,
        Field(description="Sent when the user is created, never compared, never shown. Give it as ${NAME}."),
        Api(read=None, create_only=True, secret=True, clear=REFUSE),
    ] = None
    generate_password: Annotated[
        bool | None,
        Field(description="Let Redmine choose a password when the user is created."),
        Api(read=None, create_only=True, clear=REFUSE),
    ] = None
    must_change_passwd: Annotated[
        bool | None,
        Field(description="The user must change the password at the first login (set on create)."),
        Api(read=None, create_only=True, clear=REFUSE),
    ] = None
    custom_fields: Annotated[
        dict[str, Any] | None,
        Field(description="Custom fields by name."),
        Api(codec=CustomFields("user"), clear=REFUSE),
    ] = None


class Users(Kind):
    """Only active users are listed by default; a lock shows by the list that a user is in (5.0 to 7.0)."""

    name = "user"
    plural = "users"
    spec = UserSpec
    identity = ("login",)
    fold = True
    required = ("firstname", "lastname", "mail")
    rank = 10

    def tiers(self, need: Need, names: Names) -> Iterable[list[Listing]]:
        # One list a status: `status=` means all up to 5.1 but is 422 later, `status=*` is nothing on 5.0.
        for status in (1, 3, 2):
            yield [Listing("/users", "users", (("status", status),), mark={"status": status})]

    def lookup(self, address: Address, names: Names, values: Mapping[str, Any]) -> list[Listing]:
        # `name` finds parts of logins, names and addresses; `login=` is ignored before 5.1.
        query = (("name", address.key),)
        return [Listing("/users", "users", (("status", s), *query), mark={"status": s}) for s in (1, 3)]

    def forbids(self, found: Object, me: Row) -> Iterable[tuple[str, str]]:
        spec = found.spec
        assert isinstance(spec, UserSpec)
        if spec.login.casefold() != str(me.get("login", "")).casefold():
            return
        own = "this is the account that the reconciler works with"
        if spec.state == "absent":
            yield "state", f"{own}: it cannot delete itself"
        if spec.admin is False and me.get("admin"):
            yield "admin", f"{own}: it would lose its rights half-way"
        if spec.status == "locked":
            yield "status", f"{own}: it would lock itself out"

    def check(self, found: Object, settings: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        spec = found.spec
        assert isinstance(spec, UserSpec)
        if spec.state == "present" and spec.password and spec.generate_password:
            yield "generate_password", "give either password or generate_password, not both"


KINDS = (Users(),)
