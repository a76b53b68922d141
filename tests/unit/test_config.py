"""Where settings come from, what is wrong with them, and to which server credentials go."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

import reconciler
from reconciler import config
from reconciler.errors import ConfigError, Location
from reconciler.manifest.sources import find_config

URL, OTHER = "https://redmine.example.net", "https://other.example.net"
KEY = "canary-of-the-key"


def write(folder: Path, text: str) -> Path:
    """A `reconciler.yaml` in a folder."""
    path = folder / "reconciler.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def load(folder: Path, environ: Mapping[str, str] | None = None, **options: object) -> config.Config:
    """The configuration for manifests in a folder."""
    return config.load([folder], environ or {}, **options)  # type: ignore[arg-type]


def refusal(folder: Path, environ: Mapping[str, str] | None = None, **options: object) -> str:
    """The sentence that a configuration ends with."""
    with pytest.raises(ConfigError) as caught:
        load(folder, environ, **options).connection()
    assert KEY not in str(caught.value)
    return str(caught.value)


# -- finding ---------------------------------------------------------------------------------------------------


def test_found_above_the_manifests_up_to_the_root_of_the_repository(tmp_path: Path) -> None:
    """The file is looked for from the manifests' folder upwards, and not beyond a folder with .git."""
    inner = tmp_path / "repository" / "redmine" / "team"
    inner.mkdir(parents=True)
    outside = write(tmp_path, "")
    assert find_config([inner]) == outside
    (tmp_path / "repository" / ".git").mkdir()
    assert find_config([inner]) is None
    inside = write(tmp_path / "repository", "")
    assert find_config([inner / "a.yaml"]) == inside


def test_standard_input_belongs_to_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For manifests from the standard input, the search begins where the command runs."""
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, "")
    assert find_config(["-"]) == path


def test_manifests_of_two_configurations_are_refused(tmp_path: Path) -> None:
    """Manifests that lie beside different configurations need --config."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, "")
    with pytest.raises(ConfigError, match="choose one with --config"):
        find_config([tmp_path / "one", tmp_path / "two"])


@pytest.mark.parametrize("text", ["", "\n\n", "# url: x\n", "---\n"])
def test_a_file_may_say_nothing(tmp_path: Path, text: str) -> None:
    """An empty file, or one of comments only, sets nothing."""
    write(tmp_path, text)
    assert load(tmp_path, {"REDMINE_URL": URL, "REDMINE_API_KEY": KEY}).connection().url == URL


# -- precedence ------------------------------------------------------------------------------------------------

FILE = f"""
url: {URL}
api_key: {KEY}
timeout: 7
vars: {{A: file, B: file, C: file}}
instances:
  staging:
    url: {OTHER}
    api_key: key-of-staging
    timeout: 8
    vars: {{A: staging, B: staging}}
"""


def test_flags_before_environment_before_instance_before_file(tmp_path: Path) -> None:
    """Each layer gives what the ones before it do not."""
    write(tmp_path, FILE)
    assert load(tmp_path).connection().timeout == 7
    assert load(tmp_path, instance="staging").connection().timeout == 8
    assert load(tmp_path, {"REDMINE_TIMEOUT": "9"}, instance="staging").connection().timeout == 9
    assert load(tmp_path, {"REDMINE_CONCURRENCY": "2"}, flags={"concurrency": 3}).connection().concurrency == 3


def test_the_environment_can_name_the_instance(tmp_path: Path) -> None:
    """RECONCILER_INSTANCE chooses, and --instance chooses before it."""
    write(tmp_path, FILE)
    environ = {"RECONCILER_INSTANCE": "staging"}
    assert load(tmp_path, environ).connection().url == OTHER
    assert "unknown instance" in refusal(tmp_path, environ, instance="production")


def test_variables_of_the_environment_win_over_those_of_the_instance_and_the_file(tmp_path: Path) -> None:
    """`vars` give `${NAME}` a value where the environment has none."""
    write(tmp_path, FILE)
    found = load(tmp_path, {"A": "environment"}, instance="staging").variables
    assert (found["A"], found["B"], found["C"]) == ("environment", "staging", "file")


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    """A CI secret that does not exist is an empty variable: it does not hide the file's value."""
    write(tmp_path, FILE)
    assert load(tmp_path, {"REDMINE_URL": "", "REDMINE_API_KEY": "", "RECONCILER_INSTANCE": ""}).connection().url == URL


def test_every_setting_has_its_variable(tmp_path: Path) -> None:
    """What REDMINE_… says arrives at the connection."""
    values = {
        "url": URL,
        "username": "bot",
        "password": KEY,
        "switch_user": "jane",
        "ca_file": "/a",
        "client_cert": "/b",
        "client_key": "/c",
        "proxy": "http://proxy:1",
        "timeout": "1",
        "deadline": "2",
        "concurrency": "3",
        "retries": "4",
    }
    made = load(tmp_path, {config.VARIABLES[name]: value for name, value in values.items()}).connection()
    assert {name: str(getattr(made, name)) for name in values} == values | {
        "password": "**********",
        "timeout": "1.0",
        "deadline": "2.0",
    }
    assert load(tmp_path, {"REDMINE_URL": URL, "REDMINE_BEARER_TOKEN": KEY}).connection().credentials == "bearer token"


def test_paths_in_the_file_are_relative_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate is found wherever the command runs."""
    write(tmp_path, FILE + "ca_file: certificates/ca.pem\n")
    monkeypatch.chdir("/")
    assert load(tmp_path).connection().ca_file == tmp_path / "certificates" / "ca.pem"


def test_the_engine_gets_the_key_field_and_its_place(tmp_path: Path) -> None:
    """Problems with `issue_key_field` are shown where it is written."""
    write(tmp_path, "url: x\nissue_key_field: Config key\n")
    found = load(tmp_path).settings
    assert found["issue_key_field"] == "Config key"
    assert found["place"] == Location(str(tmp_path / "reconciler.yaml"), 2, 1)
    assert "issue_key_field" not in load(tmp_path, file=write(tmp_path, "url: x\n")).settings


def test_the_engine_gets_the_ids_of_users(tmp_path: Path) -> None:
    """`user_ids` are those of the instance, else of the top level; an id is a positive number."""
    text = "user_ids: {amy: 12}\ninstances: {test: {url: https://x.example, user_ids: {amy: 7}}, live: {url: https://y.example}}\n"
    write(tmp_path, text)
    assert load(tmp_path, instance="test").settings["user_ids"] == {"amy": 7}
    assert load(tmp_path, instance="live").settings["user_ids"] == {"amy": 12}
    write(tmp_path, "user_ids: {amy: none}\n")
    with pytest.raises(ConfigError, match=r"user_ids\.amy"):
        load(tmp_path)


# -- expressions -----------------------------------------------------------------------------------------------


def test_expressions_are_evaluated_when_they_are_used(tmp_path: Path) -> None:
    """Work without a server, or for another instance, does not need the variables of this one."""
    servers = {"a": URL, "b": OTHER}
    lines = [f"  {name}: {{url: {url}, api_key: '${{KEY_{name.upper()}}}'}}\n" for name, url in servers.items()]
    write(tmp_path, "instances:\n" + "".join(lines))
    found = load(tmp_path, {"KEY_A": "one"}, instance="a")
    assert found.connection().api_key is not None
    offline = load(tmp_path, instance="b")
    assert offline.variables == {}
    with pytest.raises(ConfigError, match=r"reconciler.yaml:3:\d+: the environment variable KEY_B is not set"):
        offline.connection()


def test_a_setting_from_the_environment_needs_no_variable_of_the_file(tmp_path: Path) -> None:
    """What is overridden is not evaluated."""
    write(tmp_path, f"url: {URL}\napi_key: ${{NOT_SET}}\n")
    assert load(tmp_path, {"REDMINE_API_KEY": "k"}).connection().credentials == "API key"


def test_vars_must_have_values_at_once(tmp_path: Path) -> None:
    """Manifests are read with them, so an unset variable there is reported with its place."""
    write(tmp_path, "vars:\n  A: ${NOT_SET}\n  B: ${NOT_SET_EITHER}\n")
    said = refusal(tmp_path)
    assert "reconciler.yaml:2:3: the environment variable NOT_SET is not set" in said
    assert "reconciler.yaml:3:3: the environment variable NOT_SET_EITHER is not set" in said


def test_defaults_and_escapes_in_expressions(tmp_path: Path) -> None:
    """`${NAME:-default}` and `$${` work as in manifests."""
    write(tmp_path, f"url: ${{U:-{URL}}}\nusername: a$${{b\npassword: p-$${{x}}-${{P}}\n")
    made = load(tmp_path, {"P": "q"}).connection()
    assert made.password is not None
    assert (made.url, made.username, made.password.get_secret_value()) == (URL, "a${b", "p-${x}-q")


# -- problems --------------------------------------------------------------------------------------------------


def test_all_problems_of_the_file_at_once(tmp_path: Path) -> None:
    """Each has its place, and a near miss where there is one; values of secrets are not repeated."""
    write(
        tmp_path,
        f"ulr: {URL}\ntimeout: soon\nretries: -1\napi_key: {{{KEY}: 1}}\nproxy: [{KEY}]\n"
        "instances:\n  staging: {urll: x, concurrency: many}\n  broken: 7\nvars: [a]\n",
    )
    said = refusal(tmp_path)
    for expected in (
        'reconciler.yaml:1:1: unknown setting "ulr" (did you mean "url"?)',
        'reconciler.yaml:2:1: timeout: expected a number, found "soon"',
        "reconciler.yaml:3:1: retries: input should be greater than or equal to 0",
        "reconciler.yaml:4:1: api_key: expected a string",
        "reconciler.yaml:5:1: proxy: expected a string",
        'reconciler.yaml:7:13: unknown setting "urll" (did you mean "url"?)',
        'reconciler.yaml:7:22: concurrency: expected a whole number, found "many"',
        'reconciler.yaml:8:3: instance "broken": expected a mapping of settings',
        "reconciler.yaml:9:1: vars: expected a mapping of names to strings",
    ):
        assert expected in said


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("url: [", "reconciler.yaml:2:1: expected a value"),
        ("- a\n", "the top level is not a mapping"),
        ("url: a\n---\nurl: b\n", "more than one YAML document"),
        ("instances: [a]\n", "instances: expected a mapping of names to settings"),
        ("url: a\nurl: b\n", 'duplicate key "url"'),
        ("authoritativ: [versions]\n", 'unknown setting "authoritativ" (did you mean "authoritative"?)'),
        ("timeout: inf\n", "timeout: "),
        ("protect:\n  - project/*\n  -\n", "protect.1: expected a string"),
        ("catalog_command: [docker, null]\n", "catalog_command.1: expected a string"),
        ("limits: {delets: 5}\n", 'unknown setting "limits.delets" (did you mean "deletes"?)'),
        ("limits: {max: 5}\n", 'unknown setting "limits.max" (known: deletes, delete_ratio, prune_ratio)'),
        ("lease: {x: 5}\n", 'unknown setting "lease.x" (known: project, '),
        ("instances: {a: {limits: {max: 5}}}\n", 'unknown setting "limits.max" (known: deletes,'),
        ("instances: {a: {zzzzz: 5}}\n", 'unknown setting "zzzzz" (known: url, '),
    ],
)
def test_a_file_that_is_no_configuration(tmp_path: Path, text: str, expected: str) -> None:
    """Syntax and shape are checked with a place, whether or not a server is needed."""
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path)
    assert str(path) in str(caught.value)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    "text", ["timeout: ${MY_TOKEN}", "limits: {deletes: 'x${MY_TOKEN}'}", "ignore: ['!${MY_TOKEN}']"]
)
def test_a_message_does_not_quote_a_secret_variable(text: str, tmp_path: Path) -> None:
    """A value that is refused is not repeated if the name of a variable in it looks secret."""
    write(tmp_path, text)
    assert ": expected a " in refusal(tmp_path, {"MY_TOKEN": KEY})
    write(tmp_path, text.replace("MY_TOKEN", "OTHER"))
    assert 'found "' in refusal(tmp_path, {"OTHER": "!x"})


def test_a_variable_that_is_no_number(tmp_path: Path) -> None:
    """The sentence names the environment variable."""
    said = refusal(tmp_path, {"REDMINE_TIMEOUT": "soon"})
    assert 'REDMINE_TIMEOUT: timeout: expected a number, found "soon"' in said


def test_a_config_that_is_not_there(tmp_path: Path) -> None:
    """--config of a missing file, or of a folder, is said so."""
    assert "no such file" in refusal(tmp_path, file=tmp_path / "other.yaml")
    assert "is a folder" in refusal(tmp_path, file=tmp_path)


def test_an_unknown_instance_gets_a_near_miss(tmp_path: Path) -> None:
    """--instance is compared with what the file has."""
    write(tmp_path, FILE)
    assert 'unknown instance "stagin" (did you mean "staging"?)' in refusal(tmp_path, instance="stagin")
    write(tmp_path, f"url: {URL}\n")
    assert "it has no `instances`" in refusal(tmp_path, instance="staging")


def test_what_is_missing_is_said_with_how_to_give_it(tmp_path: Path) -> None:
    """No address, no credentials, or a choice between servers."""
    assert "set --url, REDMINE_URL, or `url` in reconciler.yaml" in refusal(tmp_path)
    assert "set REDMINE_API_KEY, or `api_key`" in refusal(tmp_path, {"REDMINE_URL": URL})
    write(tmp_path, f"instances: {{a: {{url: {URL}}}, b: {{url: {OTHER}}}}}\n")
    assert "choose one with --instance (a, b)" in refusal(tmp_path)


# -- credentials go only where they belong ----------------------------------------------------------------------

TOP = f"url: {URL}\napi_key: {KEY}\n"
SHARED = f"api_key: {KEY}\ninstances: {{staging: {{url: {URL}}}}}\n"
INHERITED = TOP + f"instances: {{staging: {{url: {OTHER}}}}}\n"


@pytest.mark.parametrize(
    ("text", "environ", "options"),
    [
        (TOP, {"REDMINE_URL": OTHER}, {}),
        (TOP, {}, {"flags": {"url": OTHER}}),
        (SHARED, {"REDMINE_URL": OTHER}, {}),
        (SHARED, {}, {"instance": "staging", "flags": {"url": OTHER}}),
        (INHERITED, {}, {"instance": "staging"}),
        ("", {"REDMINE_URL": URL, "REDMINE_API_KEY": KEY}, {"flags": {"url": OTHER}}),
        (f"url: {URL}\nusername: u\npassword: {KEY}\n", {"REDMINE_URL": OTHER, "REDMINE_USERNAME": "u"}, {}),
    ],
)
def test_credentials_are_not_sent_to_another_server(
    tmp_path: Path, text: str, environ: dict[str, str], options: dict[str, object]
) -> None:
    """An address from one place with a key from another, which is for another address, is refused."""
    write(tmp_path, text)
    said = refusal(tmp_path, environ, **options)
    assert f"is for {URL} and is not sent to {OTHER}" in said


@pytest.mark.parametrize(
    ("text", "environ", "options", "url"),
    [
        (TOP, {"REDMINE_URL": URL + "/"}, {}, URL),
        (TOP, {"REDMINE_URL": OTHER, "REDMINE_API_KEY": "own"}, {}, OTHER),
        (TOP, {"REDMINE_API_KEY": "own"}, {"flags": {"url": OTHER}}, OTHER),
        (SHARED, {}, {"instance": "staging"}, URL),
        (f"api_key: {KEY}\n", {"REDMINE_URL": OTHER}, {}, OTHER),
        (f"url: {URL}\nusername: bot\n", {"REDMINE_PASSWORD": "own"}, {}, URL),
        (INHERITED, {"REDMINE_API_KEY": "own"}, {"instance": "staging"}, OTHER),
    ],
)
def test_credentials_that_belong_to_the_server_are_used(
    tmp_path: Path, text: str, environ: dict[str, str], options: dict[str, object], url: str
) -> None:
    """The same address, credentials of one's own, or credentials that are for any address."""
    write(tmp_path, text)
    assert load(tmp_path, environ, **options).connection().url == url


def test_a_refused_key_says_how_to_give_another(tmp_path: Path) -> None:
    """In the words of the place that the URL comes from."""
    write(tmp_path, f"url: {URL}\napi_key: {KEY}")
    assert "give its key with --api-key-file, or remove" in refusal(tmp_path, flags={"url": OTHER})
    assert "set REDMINE_API_KEY, or remove" in refusal(tmp_path, {"REDMINE_URL": OTHER})


def test_credentials_of_two_layers_do_not_mix(tmp_path: Path) -> None:
    """A key in the environment replaces the file's user and password; it does not collide with them."""
    write(tmp_path, f"url: {URL}\nusername: bot\npassword: {KEY}\n")
    made = load(tmp_path, {"REDMINE_API_KEY": "own"}).connection()
    assert (made.credentials, made.username) == ("API key", None)


def test_nothing_shows_a_secret(tmp_path: Path) -> None:
    """Neither the configuration nor the connection has a secret in its repr."""
    write(tmp_path, TOP + "proxy: http://u:canary-of-the-key@proxy:1\n")
    found = load(tmp_path, {"SOME": KEY})
    assert KEY not in repr(found)
    assert KEY not in repr(found.connection())


# -- a gateway before Redmine ----------------------------------------------------------------------------------

GATE = f"url: {URL}\napi_key: own\nheaders: {{X-Gate: 'Token ${{GATE}}'}}\n"


def test_headers_are_secret_and_may_have_variables(tmp_path: Path) -> None:
    """`headers` are evaluated like other settings, and never shown."""
    write(tmp_path, GATE)
    made = load(tmp_path, {"GATE": KEY}).connection()
    assert made.headers()["X-Gate"] == f"Token {KEY}"
    assert KEY not in repr(made)
    assert "the environment variable GATE is not set" in refusal(tmp_path)


def test_headers_are_not_sent_to_another_server(tmp_path: Path) -> None:
    """A --url on its own does not carry the file's headers to another host."""
    write(tmp_path, GATE)
    text = refusal(tmp_path, {"GATE": KEY, "REDMINE_URL": OTHER, "REDMINE_API_KEY": "own"})
    assert "`headers` from" in text


def test_a_login_for_the_proxy_stands_beside_the_key(tmp_path: Path) -> None:
    """A user and password in the same place as an API key are for a reverse proxy; either may come from the
    environment."""
    write(tmp_path, f"url: {URL}\napi_key: own\nusername: gate\npassword: ${{GATE}}\n")
    made = load(tmp_path, {"GATE": KEY}).connection()
    assert (made.credentials, made.username, made.password and made.password.get_secret_value()) == (
        "API key", "gate", KEY,
    )  # fmt: skip


def test_an_unset_variable_inside_a_setting_is_not_ignored(tmp_path: Path) -> None:
    """A `${NAME}` that is not set in one of the limits is an error, not the default limit."""
    write(tmp_path, "limits: {deletes: '${MANY}', delete_ratio: 0.1}")
    with pytest.raises(ConfigError, match="MANY is not set"):
        load(tmp_path).limits  # noqa: B018


INSTANCES = "url: ${PLACE}\napi_key: k\ninstances: {a: {url: 'https://a.test'}, b: {url: 'https://b.test'}}\n"


@pytest.mark.parametrize("text", [INSTANCES, INSTANCES.replace("url: ${PLACE}\n", "").replace(" k", " ${PLACE}")])
def test_instances_without_a_choice_say_to_choose(tmp_path: Path, text: str) -> None:
    """Where instances are configured and none is chosen, that comes before variables that are not set."""
    write(tmp_path, text)
    assert refusal(tmp_path) == "Several instances are configured: choose one with --instance (a, b)."


@pytest.mark.parametrize("text", ["ignore: '*.json'", "ignore: ['!a']", "include: [{a: b}]", "include: ['${NO}']"])
def test_invalid_patterns(tmp_path: Path, text: str) -> None:
    """`include` and `ignore` are lists of patterns, without exceptions and unset variables."""
    write(tmp_path, text)
    with pytest.raises(ConfigError, match=r"clude|ignore|NO is not set"):
        load(tmp_path).rules  # noqa: B018


def test_a_variable_of_an_instance_says_to_choose_it(tmp_path: Path) -> None:
    """Where a manifest uses a variable that only instances set, and none is chosen, the hint names them."""
    write(tmp_path, f"instances: {{a: {{url: '{URL}', vars: {{TEAM: x}}}}, b: {{url: '{OTHER}', vars: {{TEAM: y}}}}}}")
    (tmp_path / "a.yaml").write_text("projects: [{identifier: '${TEAM}'}]")
    [problem] = reconciler.load(tmp_path, environ={}).problems
    assert (problem.message, problem.hint) == (
        "the environment variable TEAM is not set", "choose an instance that has it: --instance a or b",
    )  # fmt: skip
    assert not reconciler.load(tmp_path, environ={}, instance="a").problems


def test_a_secret_from_a_file_is_without_its_last_line_break(tmp_path: Path) -> None:
    """Editors put a line break at the end of a file, which is no part of a key."""
    (tmp_path / "key").write_bytes(KEY.encode() + b"\r\n")
    write(tmp_path, f"url: {URL}\napi_key: !file key\nheaders: {{X-A: !file key}}\n")
    headers = load(tmp_path).connection().headers()
    assert (headers["X-Redmine-API-Key"], headers["X-A"]) == (KEY, KEY)


def test_a_file_is_named_by_a_variable(tmp_path: Path) -> None:
    """The name of a file is a value like all others."""
    (tmp_path / "key").write_text(KEY)
    write(tmp_path, f"url: {URL}\napi_key: !file '${{NAME}}${{NONE:-y}}'\n")
    assert key(load(tmp_path, {"NAME": "ke"})) == KEY


@pytest.mark.parametrize("name", ["/run/secrets/key", "''"])
def test_a_file_elsewhere_is_refused(name: str, tmp_path: Path) -> None:
    """Who may have a configuration checked must not read any file; the sentence names the file that paths go from."""
    write(tmp_path, f"url: {URL}\napi_key: !file {name}\n")
    with pytest.raises(ConfigError, match=r"write a path relative to reconciler\.yaml"):
        load(tmp_path)


# -- a chosen instance and what is left in the environment -------------------------------------------------------

OWN = f"instances: {{live: {{url: '{URL}', api_key: own}}, bare: {{url: '{URL}'}}, bot: {{url: '{URL}', username: bot}}}}\n"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_variable_may_be_the_contents_of_a_file(tmp_path: Path, end: str) -> None:
    """A line break at its end, as in a Secret of Kubernetes that was made from a file, is not part of the value."""
    given = {"REDMINE_URL": f"https://a.example{end}", "REDMINE_API_KEY": f"k{end}", "REDMINE_PROXY": end}
    found = load(tmp_path, given).connection()
    assert (found.url, key(load(tmp_path, given)), found.proxy) == ("https://a.example", "k", None)
    text = "url: https://a.example\napi_key: ${K}\nheaders: {X-Gate: '${K}'}"
    found = load(write(tmp_path, text).parent, {"K": f"k{end}"}).connection()
    assert [secret.get_secret_value() for secret in (found.api_key, *found.extra.values()) if secret] == ["k", "k"]


def key(found: config.Config) -> str | None:
    """The API key that would be sent."""
    made = found.connection().api_key
    return made and made.get_secret_value()


@pytest.mark.parametrize(
    ("environ", "noted"),
    [
        ({"REDMINE_URL": OTHER, "REDMINE_API_KEY": KEY}, "REDMINE_URL and REDMINE_API_KEY are not used: instance"),
        ({"REDMINE_URL": OTHER}, "REDMINE_URL is not used: instance"),
        ({"REDMINE_API_KEY": KEY}, "REDMINE_API_KEY is not used: instance"),
        ({"REDMINE_USERNAME": "u", "REDMINE_PASSWORD": KEY}, "REDMINE_USERNAME and REDMINE_PASSWORD are not used"),
        ({"REDMINE_URL": URL + "/", "REDMINE_API_KEY": "own"}, ""),
    ],
)
@pytest.mark.parametrize("by_variable", [False, True])
def test_leftovers_do_not_block_an_instance(
    tmp_path: Path, environ: dict[str, str], noted: str, by_variable: bool
) -> None:
    """An instance has its own server and key; what the environment says of another one is not used, and that is said."""
    write(tmp_path, OWN)
    chosen = {"RECONCILER_INSTANCE": "live"} if by_variable else {}
    found = load(tmp_path, environ | chosen, **({} if by_variable else {"instance": "live"}))
    assert (found.connection().url.rstrip("/"), key(found)) == (URL, "own")
    assert bool(found.notes) == bool(noted) and noted in "".join(found.notes)
    assert KEY not in "".join(found.notes)


def test_a_key_beside_another_url_is_not_sent_to_an_instance(tmp_path: Path) -> None:
    """An instance without a key of its own takes that of the environment, unless it is for another server."""
    write(tmp_path, OWN)
    assert key(load(tmp_path, {"REDMINE_API_KEY": KEY}, instance="bare")) == KEY
    said = refusal(tmp_path, {"REDMINE_URL": OTHER, "REDMINE_API_KEY": KEY}, instance="bare")
    assert f"No credentials for {URL}" in said


def test_a_password_of_the_environment_for_the_login_of_an_instance(tmp_path: Path) -> None:
    """A login in the file needs its password from elsewhere; a key in the environment is not for it."""
    write(tmp_path, OWN)
    environ = {"REDMINE_PASSWORD": KEY, "REDMINE_API_KEY": "other"}
    made = load(tmp_path, environ, instance="bot").connection()
    assert (made.credentials, made.username) == ("user and password", "bot")


def test_a_server_of_the_environment_where_instances_could_be_chosen(tmp_path: Path) -> None:
    """REDMINE_URL may be a leftover in a shell: that no instance's overlays are used is said, unless an option asks for
    the server."""
    write(tmp_path, f"instances: {{a: {{url: {URL}}}, b: {{url: {OTHER}}}}}\n")
    (note,) = load(tmp_path, {"REDMINE_URL": URL, "REDMINE_API_KEY": KEY}).notes
    assert "REDMINE_URL names the server, and no instance is chosen (--instance a or b)" in note
    assert load(tmp_path, {"REDMINE_API_KEY": KEY}, flags={"url": URL}).notes == ()


def test_a_key_that_replaces_the_one_in_the_file_is_named(tmp_path: Path) -> None:
    """Without instances, the environment wins; that a key differs from the file's is said, as it may be a leftover."""
    write(tmp_path, f"url: {URL}\napi_key: own\n")
    found = load(tmp_path, {"REDMINE_API_KEY": KEY})
    assert key(found) == KEY
    assert found.notes == (f"REDMINE_API_KEY is used instead of `api_key` in {tmp_path / 'reconciler.yaml'}.",)
    assert load(tmp_path, {"REDMINE_API_KEY": "own"}).notes == ()


def test_one_instance_must_be_chosen_too(tmp_path: Path) -> None:
    """What one instance sets is not used by itself: the next one that is added would change the server."""
    write(tmp_path, f"instances: {{live: {{url: '{URL}', api_key: own}}}}\n")
    assert refusal(tmp_path) == "One instance is configured: choose it with --instance live."


def test_manifests_of_instances_need_a_choice(tmp_path: Path) -> None:
    """Where instances have their own manifests, and the command names none, there is nothing to read without one."""
    write(tmp_path, "instances: {a: {manifests: [a.yaml]}, b: {manifests: [b.yaml]}}\n")
    with pytest.raises(ConfigError, match=r"choose one with --instance \(a, b\)"):
        reconciler.load(file=tmp_path / "reconciler.yaml", environ={})
    (tmp_path / "b.yaml").write_text("users: [{login: amy, firstname: A, lastname: B, mail: a@b.test}]")
    loaded = reconciler.load(file=tmp_path / "reconciler.yaml", environ={}, instance="b")
    assert [str(address) for address in loaded.desired.objects] == ["user amy"]
