"""Authentication modes: LDAP directories. The API shows them with the users that have one, and nowhere else."""

from typing import Annotated

from pydantic import Field, SecretStr, StringConstraints

from reconciler.kinds._catalog import CatalogKind
from reconciler.model.capabilities import ReadOnly
from reconciler.model.catalog import Catalog, CatalogRows
from reconciler.model.spec import REFUSE, Api, Name, Spec

Short = StringConstraints(max_length=30)
Long = StringConstraints(max_length=255)


class AuthSourceSpec(Spec):
    """An LDAP authentication mode. Its identity is the name, which is compared exactly."""

    name: Annotated[
        Name,
        StringConstraints(max_length=60),
        Field(description="At most 60 characters.", examples=["LDAP"]),
        Api(clear=REFUSE),
    ]
    host: Annotated[
        Name | None,
        StringConstraints(max_length=60),
        Field(description="Host name of the server; at most 60 characters.", examples=["ldap.example.net"]),
        Api(clear=REFUSE),
    ] = None
    port: Annotated[
        int | None,
        Field(ge=1, le=65535, description="TCP port. Default: 389.", examples=[636]),
        Api(clear=REFUSE),
    ] = None
    tls: Annotated[
        bool | None, Field(description="Whether the connection is LDAPS.", examples=[True]), Api(clear=REFUSE)
    ] = None
    verify_peer: Annotated[
        bool | None,
        Field(description="With `tls`, whether the server's certificate is checked.", examples=[True]),
        Api(clear=REFUSE),
    ] = None
    account: Annotated[
        str | None,
        Long,
        Field(
            description="Account that searches the directory; with `$login` in it, that of the user.",
            examples=["cn=redmine,dc=example,dc=net"],
        ),
    ] = None
    account_password: Annotated[
        SecretStr | None,
        Field(
            description="Password of that account, set on create. Write it as ${NAME}.", examples=["${LDAP_PASSWORD}"]
        ),
        Api(read=None, create_only=True, secret=True, clear=REFUSE),
    ] = None
    base_dn: Annotated[
        str | None, Long, Field(description="Where users are searched.", examples=["ou=people,dc=example,dc=net"])
    ] = None
    attr_login: Annotated[
        Name | None,
        Short,
        Field(description="Attribute with the login.", examples=["uid"]),
        Api(clear=REFUSE),
    ] = None
    attr_firstname: Annotated[
        str | None, Short, Field(description="Attribute with the first name.", examples=["givenName"])
    ] = None
    attr_lastname: Annotated[str | None, Short, Field(description="Attribute with the last name.", examples=["sn"])] = (
        None
    )
    attr_mail: Annotated[
        str | None, Short, Field(description="Attribute with the email address.", examples=["mail"])
    ] = None
    onthefly_register: Annotated[
        bool | None,
        Field(description="Whether an account is created at the first login.", examples=[True]),
        Api(clear=REFUSE),
    ] = None
    filter: Annotated[
        str | None, Field(description="LDAP filter that users must match.", examples=["(objectClass=person)"])
    ] = None
    timeout: Annotated[
        int | None, Field(ge=0, description="Seconds to wait for the server. null: Redmine's default.", examples=[20])
    ] = None


class AuthSources(CatalogKind[AuthSourceSpec]):
    """The password of the account is written and never read, as Redmine could show it in plain text."""

    name = "auth_source"
    plural = "auth_sources"
    spec = AuthSourceSpec
    identity = ("name",)
    required = ("host", "attr_login")
    rank = 6
    capabilities = (
        ReadOnly("Administration → LDAP authentication"),
        Catalog(unlisted=True),
        CatalogRows(),
    )


KINDS = (AuthSources(),)
