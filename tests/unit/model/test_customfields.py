"""Custom fields without a server: what a manifest may say, what is compared, what is sent, for every format."""

from __future__ import annotations

from typing import Any

import pytest
from engine import offline
from plans import live_of

from reconciler.model.address import Unresolved
from reconciler.model.custom_fields import CustomFields, canonical, decode, encode, same
from reconciler.model.name_index import Context, CustomField

SIZES = {"11": "small", "12": "large"}
COLOURS = {"red": "red", "green": "green"}


def field(form: str, *, multiple: bool = False, number: int = 1) -> CustomField:
    """A definition of the format `form`."""
    options = {"enumeration": SIZES, "list": COLOURS}.get(form, {})
    return CustomField(number, f"A {form}", form, multiple, options)


@pytest.fixture(scope="module")
def context() -> Context:
    """Project `shop`, with user amy (#5) and the versions 1.0 (#7) of its own and 2.0 (#8) of `hq`; all live."""
    rows: list[tuple[str, str, dict[str, Any]]] = [
        ("project", "shop", {"id": 1}),
        ("project", "hq", {"id": 2}),
        ("user", "amy", {"id": 5}),
        ("user", "bob", {"id": 6}),
        ("version", "shop/1.0", {"id": 7, "sharing": "none"}),
        ("version", "hq/2.0", {"id": 8, "sharing": "system"}),
    ]
    names = live_of(offline("{}"), rows).names
    for number, projects in {7: {"shop"}, 8: {"hq", "shop"}}.items():
        for project in sorted(projects):
            names.live("version").note_seen(number, project)
    fields = (field("bool"), field("user", number=2), field("list", number=3, multiple=True))
    names.custom_fields["issue"] = {f.name: f for f in fields}
    return Context(names, "shop")


SINGLE = [
    # format, in a manifest, canonical, sent
    ("bool", "true", True, "1"),
    ("bool", "no", False, "0"),
    ("bool", True, True, "1"),
    ("bool", "0", False, "0"),
    ("int", "7", 7, "7"),
    ("int", "-07", -7, "-7"),
    ("int", 7, 7, "7"),
    ("progressbar", "40", 40, "40"),
    ("float", "1.50", 1.5, "1.5"),
    ("float", "1e3", 1000.0, "1000.0"),
    ("float", 2, 2.0, "2.0"),
    ("date", "2026-01-05", "2026-01-05", "2026-01-05"),
    ("list", "red", "red", "red"),
    ("enumeration", "large", "large", "12"),
    ("string", "true", "true", "true"),
    ("string", "007", "007", "007"),
    ("string", 7, "7", "7"),
    ("link", "https://a/?b", "https://a/?b", "https://a/?b"),
    ("text", "one\r\ntwo\r", "one\ntwo\n", "one\ntwo\n"),
    ("user", "amy", "amy", "5"),
    ("version", "1.0", "1.0", "7"),
    ("version", "2.0", {"project": "hq", "name": "2.0"}, "8"),
    ("version", {"project": "hq", "name": "2.0"}, {"project": "hq", "name": "2.0"}, "8"),
    ("", "kept as text", "kept as text", "kept as text"),
]


@pytest.mark.parametrize("form, said, meant, sent", SINGLE)
def test_single(context: Context, form: str, said: Any, meant: Any, sent: str) -> None:
    """A value has one canonical form, is sent as Redmine takes it, and is read back as the same."""
    one = field(form)
    assert canonical(one, said, context) == meant
    assert type(canonical(one, said, context)) is type(meant)
    assert encode(one, meant, context) == sent
    assert same(meant, decode(one, sent, context))


MULTIPLE = [
    ("list", ["red", "green"], ["green", "red"], ["green", "red"]),
    ("list", ["red", "red"], ["red"], ["red"]),
    ("list", "red", ["red"], ["red"]),
    ("enumeration", ["small", "large"], ["large", "small"], ["12", "11"]),
    ("user", ["bob", "amy"], ["amy", "bob"], ["5", "6"]),
    ("version", ["2.0", "1.0"], ["1.0", {"project": "hq", "name": "2.0"}], ["7", "8"]),
]


@pytest.mark.parametrize("form, said, meant, sent", MULTIPLE)
def test_multiple(context: Context, form: str, said: Any, meant: Any, sent: list[str]) -> None:
    """Several values are a set: without order, each once; one alone may be written without a list."""
    several = field(form, multiple=True)
    assert canonical(several, said, context) == meant
    assert encode(several, meant, context) == sent
    assert same(meant, decode(several, list(reversed(sent)), context))


@pytest.mark.parametrize("form", sorted({form for form, *_ in SINGLE}))
@pytest.mark.parametrize("blank", [None, "", []])
def test_clearing(context: Context, form: str, blank: Any) -> None:
    """Null, "" and an empty list all clear, are sent as "", and are the same as a field that shows nothing."""
    meant = canonical(field(form), blank, context)
    assert meant is None
    assert encode(field(form), meant, context) == ""
    wires: tuple[Any, ...] = (None, "", [])
    for wire in wires:
        assert same(meant, decode(field(form), wire, context))


@pytest.mark.parametrize("form", [form for form, *_ in MULTIPLE])
@pytest.mark.parametrize("blank", [None, "", [], [""], [None]])
def test_clearing_several(context: Context, form: str, blank: Any) -> None:
    """A field of several values is cleared with an empty list."""
    several = field(form, multiple=True)
    meant = canonical(several, blank, context)
    assert meant == encode(several, meant, context) == []
    wires: tuple[Any, ...] = (None, "", [], [""])
    for wire in wires:
        assert same(meant, decode(several, wire, context))


WRONG = [
    # format, in a manifest, part of the message, part of the hint
    ("bool", "perhaps", 'expected true or false, found "perhaps"', ""),
    ("int", "1.5", 'expected a whole number, found "1.5"', ""),
    ("int", "many", 'expected a whole number, found "many"', ""),
    ("int", "1_0", 'expected a whole number, found "1_0"', ""),
    ("float", "1,5", 'expected a number, found "1,5"', ""),
    ("float", "nan", 'expected a number, found "nan"', ""),
    ("float", "inf", 'expected a number, found "inf"', ""),
    ("date", "05.01.2026", 'expected a date (YYYY-MM-DD), found "05.01.2026"', ""),
    ("date", "2026-02-30", 'expected a date (YYYY-MM-DD), found "2026-02-30"', ""),
    ("list", "Red", '"Red" is not a value of this field', 'did you mean "red"?'),
    ("enumeration", "huge", '"huge" is not a value of this field', "available: large, small"),
    ("enumeration", "12", '"12" is not a value of this field', ""),
    ("user", "any", 'there is no user "any"', 'did you mean "amy"?'),
    ("version", "1.1", 'there is no version "1.1"', 'did you mean "1.0"?'),
    ("list", ["red"], "expected one value, found a list", ""),
    ("string", {"a": "b"}, "expected a string, found a mapping", ""),
    ("attachment", "file.txt", "expected a file", "{file: PATH}"),
]


@pytest.mark.parametrize("form, said, message, hint", WRONG)
def test_wrong_values(context: Context, form: str, said: Any, message: str, hint: str) -> None:
    """What Redmine would refuse, or take for something else, is a problem before anything is sent."""
    with pytest.raises(Unresolved) as caught:
        canonical(field(form), said, context)
    assert message in str(caught.value)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    "form, wire, shown",
    [
        ("int", "05", 5),
        ("int", "abc", "abc"),
        ("float", "1.50", 1.5),
        ("float", "x", "x"),
        ("bool", "true", "true"),
        ("enumeration", "99", "#99"),
        ("user", "99", "#99"),
        ("list", "no longer offered", "no longer offered"),
        ("text", "a\r\nb", "a\nb"),
        ("attachment", "3", "#3"),
    ],
)
def test_what_the_server_has(context: Context, form: str, wire: str, shown: Any) -> None:
    """Whatever a server has in a field can be shown, also what no manifest could say."""
    assert decode(field(form), wire, context) == shown


@pytest.mark.parametrize(
    "desired, live, alike",
    [
        (1.5, 1.5000000000001, True),
        (7, 7.0, True),
        (0.0, 0.0000001, False),
        (True, True, True),
        (True, False, False),
        (True, "true", False),
        (True, 1, False),
        (False, None, False),
        (0, None, False),
        (None, "", True),
        ([], None, True),
        (["a"], ["a"], True),
        (["a"], ["a", "b"], False),
        ("a", "A", False),
        ("a ", "a", False),
    ],
)
def test_same(desired: Any, live: Any, alike: bool) -> None:
    """Numbers are compared as numbers, nothing with nothing of any kind, and `false` or 0 are not nothing."""
    assert same(desired, live) is alike


class TestAllOfAnObject:
    """The custom fields of one object together."""

    codec = CustomFields("issue")

    def test_only_named_fields_differ(self, context: Context) -> None:
        """What a manifest does not name is neither compared nor sent."""
        desired = self.codec.canonical({"A bool": "true"}, context)
        wire = [{"id": 1, "name": "A bool", "value": "0"}, {"id": 9, "name": "B", "value": "x"}]
        live = self.codec.decode(wire, context)
        assert self.codec.differences(desired, live) == [("A bool", False, True)]
        assert self.codec.encode(desired, context) == [{"id": 1, "value": "1"}]

    def test_absent_is_nothing(self, context: Context) -> None:
        """A field that an object does not show is as good as empty."""
        desired = self.codec.canonical({"A bool": None, "A list": []}, context)
        assert self.codec.equal(desired, self.codec.decode(None, context))

    def test_order_is_of_no_matter(self, context: Context) -> None:
        """Fields in any order are the same."""
        one = self.codec.canonical({"A bool": "true", "A user": "amy"}, context)
        assert list(one) == list(self.codec.canonical({"A user": "amy", "A bool": "true"}, context))

    def test_a_name_that_there_is_not(self, context: Context) -> None:
        """An unknown name is a problem with a near miss."""
        with pytest.raises(Unresolved, match='there is no custom field "A bol" for') as caught:
            self.codec.canonical({"A bol": "true"}, context)
        assert caught.value.hint.startswith(
            'did you mean "A bool"?; declare it in `custom_fields`, or ask an administrator'
        )

    def test_the_field_is_named_in_the_message(self, context: Context) -> None:
        """A value that cannot be is reported with the name of its field."""
        with pytest.raises(Unresolved, match=r'A bool.*expected true or false, found "perhaps"'):
            self.codec.canonical({"A bool": "perhaps"}, context)

    def test_by_id(self, context: Context) -> None:
        """`#1` is the field with that id, by its own name where it is known."""
        assert self.codec.canonical({"#1": "x"}, Context(live_of(offline("{}")).names)) == {"#1": "x"}
        assert list(self.codec.canonical({"#1": None}, context)) == ["A bool"]

    def test_by_id_without_a_definition(self) -> None:
        """A field that only its id is known of is compared with what the server shows under that id."""
        nothing = Context(live_of(offline("{}")).names)
        desired = self.codec.canonical({"#12": "x"}, nothing)
        assert self.codec.encode(desired, nothing) == [{"id": 12, "value": "x"}]
        assert self.codec.equal(desired, self.codec.decode([{"id": 12, "name": "Hidden", "value": "x"}], nothing))

    def test_references(self, context: Context) -> None:
        """The users and versions that fields name are known to be needed."""
        found = list(self.codec.references({"A user": "amy", "A bool": "true"}, context))
        assert [(r.kinds, r.name) for r in found] == [(("user",), "amy")]
