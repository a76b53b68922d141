"""docs/settings.md: every setting of `reconciler.yaml`, from the models, with an example of each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from reconciler.config.origins import DEFAULTS, FLAGS, MODELS
from reconciler.reference.explain import type_of
from reconciler.settings import SECRET, VARIABLES, Settings

INTRO = """\
# Settings

The settings of `reconciler.yaml`, which is looked for in the manifests' folder and above, up to the root of the
repository; `--config FILE` names another one. Options override environment variables, which override the chosen
instance, which overrides the rest of the file. Only its server and credentials an instance does not leave to the
environment ([several servers](instances.md)).

- `reconciler config show` prints each setting, its value and where it comes from.
- `${NAME}` and `${NAME:-default}` work in every value and are evaluated when the setting is used. `!file PATH` is the
  text of a file in the folder of `reconciler.yaml` or below: `validate` may run on changes of people who must
  not read other files. A credential from elsewhere: `!command [cat, /run/secrets/key]`.
- Paths are relative to `reconciler.yaml`.
- For completion and checks in your editor, run `reconciler schema --out schemas` and write this line at the top:

```yaml
# yaml-language-server: $schema=schemas/config.schema.json
```

This page is generated from the code.
"""

GROUPS: Mapping[str, tuple[str, ...]] = {
    "Server and account": ("url", "api_key", "username", "password", "bearer", "switch_user"),
    "Connection": (
        "ca_file", "client_cert", "client_key", "proxy", "headers", "timeout", "deadline", "concurrency", "retries",
    ),
    "What REST cannot write": ("catalog_command", "catalog_timeout"),
    "Manifests": ("manifests", "overlays", "include", "ignore", "vars"),
    "Identity": ("issue_key_field", "user_ids"),
    "Safety": ("limits", "lease", "authoritative", "prune_users", "protect"),
}  # fmt: skip
"""The settings in the order of the page."""

EXAMPLES: Mapping[str, str] = {
    "url": "url: https://redmine.example.net",
    "api_key": "api_key: ${REDMINE_API_KEY}            # or: !command [pass, show, redmine/api-key]",
    "username": "username: jsmith",
    "password": "password: ${REDMINE_PASSWORD}",
    "bearer": "bearer: ${REDMINE_TOKEN}",
    "switch_user": "switch_user: jsmith",
    "ca_file": "ca_file: certificates/ca.pem",
    "client_cert": "client_cert: certificates/client.pem",
    "client_key": "client_key: certificates/client.key",
    "proxy": "proxy: http://proxy.example.net:3128",
    "headers": 'headers: {CF-Access-Client-Secret: "${ACCESS_SECRET}"}',
    "timeout": "timeout: 60",
    "deadline": "deadline: 300",
    "concurrency": "concurrency: 4",
    "retries": "retries: 10",
    "catalog_command": "catalog_command: [docker, exec, -i, redmine, bin/rails, runner, -e, production, '-']",
    "catalog_timeout": "catalog_timeout: 600",
    "manifests": "manifests: [base/, production.yaml]",
    "overlays": "overlays: [overlays/staging.yaml]",
    "include": "include: [redmine/]",
    "ignore": 'ignore: [kubernetes/, "*.draft.yaml"]',
    "vars": "vars: {MAIL_DOMAIN: example.net}",
    "issue_key_field": "issue_key_field: Config key",
    "user_ids": "user_ids: {amy: 12, bob: 34}",
    "limits": "limits: {deletes: 5, delete_ratio: 0.1, prune_ratio: 0.5}",
    "lease": "lease: {project: ops, page: Reconciler lease, ttl: 300}",
    "authoritative": "authoritative: [memberships, versions]",
    "prune_users": "prune_users: delete",
    "protect": 'protect: ["version/shop/LTS*", "user/*"]',
}
"""A line of `reconciler.yaml` for each setting."""

MORE: Mapping[str, str] = {
    "api_key": "howto/connect.md#credentials-from-a-password-store",
    "headers": "howto/connect.md#behind-a-gateway",
    "catalog_command": "howto/from-nothing.md",
    "manifests": "instances.md",
    "overlays": "instances.md#change-objects-for-one-instance",
    "include": "howto/connect.md#keep-other-files-beside-the-manifests",
    "ignore": "howto/connect.md#keep-other-files-beside-the-manifests",
    "issue_key_field": "howto/adoption.md#store-keys-in-issues",
    "user_ids": "howto/limited-account.md",
    "lease": "howto/gitops.md#let-one-apply-run-at-a-time",
    "authoritative": "howto/renames-and-deletions.md#find-and-prune-what-no-manifest-declares",
    "prune_users": "howto/renames-and-deletions.md#find-and-prune-what-no-manifest-declares",
}
"""Where more is said about a setting."""

DEFAULT = re.compile(r" Default: .*$")
EXPRESSION = re.compile(r"\$\{NAME\}")


def page() -> str:
    """The text of the page."""
    schema = Settings.model_json_schema()
    lines = [INTRO, *_overview()]
    for title, names in GROUPS.items():
        lines.append(f"\n## {title}")
        for name in names:
            lines += _section(name, schema["properties"][name])
    return "\n".join([*lines, *_instances()]) + "\n"


def _overview() -> Iterator[str]:
    for title, names in GROUPS.items():
        yield f"- {title}: {', '.join(f'[`{name}`](#{name})' for name in names)}"
    yield "- [`instances`](#instances)"


def _section(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f"\n### {name}\n\n{_described(schema)}\n"
    yield from _facts(name, schema)
    if name in MODELS:
        yield from _inner(MODELS[name])
    yield f"\n```yaml\n{EXAMPLES[name]}\n```"


def _described(schema: Mapping[str, Any]) -> str:
    return EXPRESSION.sub("`${NAME}`", DEFAULT.sub("", schema["description"]))


def _facts(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    kind = {"limits": "mapping", "lease": "mapping"}.get(name) or type_of(schema)
    yield f"- Type: {_type(name, kind)}"
    yield f"- Default: {_default(name, DEFAULTS.get(name))}"
    if name in VARIABLES:
        yield f"- Environment variable: `{VARIABLES[name]}`"
    if name in FLAGS:
        yield f"- Option: `{FLAGS[name]}`"
    if name in MORE:
        yield f"- More: [{MORE[name]}]({MORE[name]})"


def _type(name: str, kind: str) -> str:
    if name in SECRET and name != "headers":
        return f"{kind}; secret, also `!command [PROGRAM, ARGUMENT]` or `!keyring [SERVICE, USERNAME]`"
    words = {"headers": "mapping of names to strings; secret", "user_ids": "mapping of logins to numbers"}
    return words.get(name) or ("mapping of names to strings" if name == "vars" else kind)


def _default(name: str, value: Any) -> str:
    if name == "manifests":
        return "the current folder"
    if value is None:
        return "see below" if name == "limits" else "not set"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _inner(model: type[BaseModel]) -> Iterator[str]:
    schema = model.model_json_schema()
    yield "\n| key | type | default | meaning |\n| --- | --- | --- | --- |"
    for name, part in schema["properties"].items():
        required = name in schema.get("required", ())
        default = "required" if required else _default(name, part.get("default"))
        yield f"| `{name}` | {type_of(part)} | {default} | {_described(part)} |"


def _instances() -> Iterator[str]:
    yield """
## instances

Servers by name; each is a mapping of the settings above. `--instance NAME` or the environment variable
`RECONCILER_INSTANCE` chooses one. See [Several servers](instances.md).

- Type: mapping of names to settings
- Default: not set
- Environment variable: `RECONCILER_INSTANCE` (the name)
- Option: `--instance`

```yaml
instances:
  staging: {url: https://staging.example.net, api_key: "${STAGING_KEY}", overlays: [overlays/staging.yaml]}
  production: {url: https://redmine.example.net, api_key: "${PRODUCTION_KEY}"}
```"""
