"""The settings that `reconciler.yaml` and the environment can set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from msgspec import field
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveInt,
    SecretStr,
    StringConstraints,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)

from reconciler.errors import ConfigError, Location, Problem
from reconciler.manifest.excerpt import looks_secret
from reconciler.manifest.expressions import names_in
from reconciler.manifest.loader import suggest
from reconciler.manifest.scalars import Computed, Templated, texts
from reconciler.masking import Secrets
from reconciler.record import Record

CONFIG = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)
"""Of every model here. `defer_build`: what nothing sets costs nothing."""
VARIABLES = {
    "url": "REDMINE_URL",
    "api_key": "REDMINE_API_KEY",
    "username": "REDMINE_USERNAME",
    "password": "REDMINE_PASSWORD",
    "bearer": "REDMINE_BEARER_TOKEN",
    "switch_user": "REDMINE_SWITCH_USER",
    "ca_file": "REDMINE_CA_FILE",
    "client_cert": "REDMINE_CLIENT_CERT",
    "client_key": "REDMINE_CLIENT_KEY",
    "proxy": "REDMINE_PROXY",
    "timeout": "REDMINE_TIMEOUT",
    "deadline": "REDMINE_DEADLINE",
    "concurrency": "REDMINE_CONCURRENCY",
    "retries": "REDMINE_RETRIES",
    "catalog_command": "REDMINE_CATALOG_COMMAND",
    "catalog_timeout": "REDMINE_CATALOG_TIMEOUT",
}
"""Setting → environment variable; an empty variable counts as unset."""
CREDENTIALS = ("api_key", "username", "password", "bearer")
SECRET = frozenset({"api_key", "password", "bearer", "headers"})
"""Settings whose whole values are secret."""
HIDDEN = SECRET | {"username", "proxy"}
"""Settings whose values are never shown in a message: a proxy URL may contain a password."""


def _unless_computed(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    return value if isinstance(value, Computed) else validate(value)


Sensitive = Annotated[SecretStr, WrapValidator(_unless_computed)]
"""A secret, or how to compute it (`Computed`). Not a union: that would make two errors of one wrong value."""
Pattern = Annotated[str, StringConstraints(pattern="^[^!]")]
"""A pattern for files; exceptions with `!`, as in .gitignore, do not exist."""
CommandLine = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda value: ("/bin/sh", "-c", value) if isinstance(value, str) else value),
    Field(min_length=1),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]
"""A program with its arguments; a text is a shell's."""
FileName = Annotated[str, StringConstraints(min_length=1)]
"""A file or folder, relative to the configuration."""


class Limits(BaseModel):
    """Limits for one apply. Deleting an issue with its subtasks, or a project with its contents, counts as one."""

    model_config = CONFIG

    deletes: Annotated[int, Field(ge=0, description="Objects that one apply may delete. Default: 10.")] = 10
    delete_ratio: Annotated[
        float | None, Field(ge=0, le=1, description="Share of the declared objects that one apply may delete.")
    ] = None
    prune_ratio: Annotated[
        float,
        Field(ge=0, le=1, description="Share of a collection of ten objects or more that one apply may prune."),
    ] = 0.3


class Pruning(Record):
    """What may be pruned: the names of collections and the protected patterns, each with its place."""

    authoritative: Mapping[str, Location] = field(default_factory=dict)
    users: Literal["lock", "delete"] = "lock"
    protect: Mapping[str, Location] = field(default_factory=dict)


class Lease(BaseModel):
    """Where the lease is kept with which one run at a time writes: a wiki page, which is created when it is missing."""

    model_config = CONFIG

    project: Annotated[str, Field(min_length=1, description="Identifier of a project with the module Wiki.")]
    page: Annotated[
        str, Field(min_length=1, max_length=255, description="Title of the wiki page. Default: Reconciler lease.")
    ] = "Reconciler lease"
    ttl: Annotated[
        int, Field(ge=15, le=86400, description="Seconds after which the lease of a killed run expires. Default: 120.")
    ] = 120


class Settings(BaseModel):
    """The settings at the top level of `reconciler.yaml`, and of each instance."""

    model_config = CONFIG

    url: Annotated[str | None, Field(description="URL of the Redmine, including its path, if any.")] = None
    api_key: Annotated[Sensitive | None, Field(description="API key of the account. Write it as ${NAME}.")] = None
    username: Annotated[
        str | None,
        Field(description="Login for Basic authentication; beside `api_key`, the login for a reverse proxy."),
    ] = None
    password: Annotated[Sensitive | None, Field(description="Password of `username`. Write it as ${NAME}.")] = None
    bearer: Annotated[Sensitive | None, Field(description="OAuth 2 token (Redmine 6.1). Write it as ${NAME}.")] = None
    switch_user: Annotated[str | None, Field(description="Login to act as. Administrators only.")] = None
    ca_file: Annotated[Path | None, Field(description="CA certificates to trust besides the system's (PEM).")] = None
    client_cert: Annotated[Path | None, Field(description="Client certificate (PEM).")] = None
    client_key: Annotated[Path | None, Field(description="Private key of `client_cert`, if not in it.")] = None
    proxy: Annotated[str | None, Field(repr=False, description="URL of an http or https proxy.")] = None
    headers: Annotated[
        dict[str, Sensitive] | None,
        Field(description="Headers for each request, such as those of a gateway. Write secrets as ${NAME}."),
    ] = None
    timeout: Annotated[float | None, Field(gt=0, description="Seconds per network operation. Default: 30.")] = None
    deadline: Annotated[float | None, Field(gt=0, description="Seconds per request with retries. Default: 120.")] = None
    concurrency: Annotated[
        int | None,
        Field(
            gt=0, description="Maximum concurrent requests; a server that gains nothing by it gets fewer. Default: 8."
        ),
    ] = None
    retries: Annotated[int | None, Field(ge=0, description="Maximum number of retries per request. Default: 5.")] = None
    catalog_command: Annotated[
        CommandLine | None,
        Field(
            description="Runs `rails runner -` inside this Redmine, for what REST cannot write: a list, or "
            "a text for the shell. The sandbox needs none."
        ),
    ] = None
    catalog_timeout: Annotated[
        float | None, Field(gt=0, description="Seconds for one call of `catalog_command`. Default: 300.")
    ] = None
    issue_key_field: Annotated[
        str | None, Field(min_length=1, description="Name of the issue custom field that stores each issue's key.")
    ] = None
    user_ids: Annotated[
        dict[str, PositiveInt] | None,
        Field(description="Ids of users by login, for an account that is no administrator's and does not see them."),
    ] = None
    limits: Annotated[Limits | None, Field(description="Deletion limits for one apply.")] = None
    lease: Annotated[
        Lease | None, Field(description="Lets one `apply` at a time write. A run that makes this project has none.")
    ] = None
    authoritative: Annotated[
        tuple[str, ...] | None,
        Field(description="Collections that the manifests declare completely: `--prune` deletes what is not declared."),
    ] = None
    prune_users: Annotated[
        Literal["lock", "delete"] | None,
        Field(description="What `--prune` does with users. Default: lock."),
    ] = None
    protect: Annotated[
        tuple[str, ...] | None, Field(description="Objects that are never deleted, as globs over KIND/KEY.")
    ] = None
    include: Annotated[
        tuple[Pattern, ...] | None, Field(description="Read only these files of a folder, as patterns of .gitignore.")
    ] = None
    ignore: Annotated[
        tuple[Pattern, ...] | None, Field(description="Do not read these files and folders, as patterns of .gitignore.")
    ] = None
    manifests: Annotated[
        tuple[FileName, ...] | None,
        Field(min_length=1, description="Files and folders to read when a command names none."),
    ] = None
    overlays: Annotated[
        tuple[FileName, ...] | None,
        Field(description="Files and folders that change objects of the manifests; a later one overrides an earlier."),
    ] = None
    vars: Annotated[dict[str, str], Field(description="Values for ${NAME} that the environment does not set.")] = {}


UNSET = Settings.model_construct()
"""What an origin that sets nothing says. Not `Settings()`, which builds the model to check no value."""


def add_secrets(values: Mapping[str, Any], secrets: Secrets) -> None:
    """Add the secrets among the values of settings, whether these are valid or not."""
    secrets.add(*(text for name in ("api_key", "bearer") for text in texts(values.get(name))))
    for password in texts(values.get("password")):
        secrets.add_login(next(texts(values.get("username")), None), password)
    for url in (text for name in ("url", "proxy") for text in texts(values.get(name))):
        secrets.add_url(url)
    for value in texts(values.get("headers")):
        secrets.add_header(value)


EXPECTED = {
    "string_type": "a string",
    "path_type": "a path",
    "dict_type": "a mapping of names to strings",
    "tuple_type": "a list",
    "string_pattern_mismatch": "a pattern for files, which does not begin with !",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
}


def describe_error(item: Any) -> tuple[str, str, str]:
    """(message, subject, hint) for one of pydantic's errors."""
    name = ".".join(map(str, item["loc"]))
    if item["type"] == "extra_forbidden":
        known = _known(item["loc"][:-1])
        near = suggest(str(item["loc"][-1]), known)
        return f'unknown setting "{name}"', "", near or f"known: {', '.join(known)}"
    given = item["input"]
    quotable = isinstance(given, str) and str(item["loc"][0]) not in HIDDEN and not _from_secret(given)
    found = f', found "{given}"' if quotable else ""
    expected = EXPECTED.get(item["type"])
    message = f"expected {expected}" if expected else item["msg"][0].lower() + item["msg"][1:]
    return f"{name}: {message}{found}", "", ""


def _from_secret(text: str) -> bool:
    """Whether a text may have a secret from a variable: messages, which end up in logs, never quote one."""
    return isinstance(text, Templated) and any(map(looks_secret, names_in(text.expression)))


def _known(path: Sequence[str | int]) -> list[str]:
    """The names of the settings in a mapping of settings, at the top level or below."""
    model: type[BaseModel] = Settings
    for name in path:
        shape = model.model_fields[str(name)].annotation
        model = next(one for one in (shape, *get_args(shape)) if isinstance(one, type) and issubclass(one, BaseModel))
    return [*model.model_fields, *(() if path else ("instances",))]


def invalid(problems: Iterable[Problem]) -> ConfigError:
    """All problems with settings as one error."""
    ordered = sorted(problems, key=lambda p: (p.location, p.message))
    return ConfigError("\n".join(["The configuration is invalid:", *(f"  {problem}" for problem in ordered)]))
