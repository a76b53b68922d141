"""Capabilities: what the neutral object of each class answers, and how a kind's own is found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any

import pytest
from pydantic import Field

from reconciler.model.address import Address, Reference, Row
from reconciler.model.capabilities import (
    Alternative,
    BulkDetails,
    Capability,
    Creation,
    Deletion,
    Dependencies,
    DerivedFields,
    KeptValues,
    ManifestKey,
    Nesting,
    OwnAccount,
    PartialRows,
    People,
    Placed,
    ReadBack,
    ReadOnly,
    Sharing,
    SideEffects,
    Streamed,
    VersionProbe,
    Workflow,
)
from reconciler.model.containers import Archive, Modules, ProjectIncludes, Tree
from reconciler.model.contract import ContractError
from reconciler.model.custom_field_scope import Availability, FieldScope
from reconciler.model.doubts import Doubts
from reconciler.model.export_hooks import Exporting
from reconciler.model.kind import Inside, Kind, earlier_key, nested_name
from reconciler.model.name_index import Context, CustomField, Names
from reconciler.model.requests import Listing, Need
from reconciler.model.spec import PARTIAL, Api, Name, ProjectItem

FAMILIES = [known for known in Capability.__subclasses__() if known.__module__.startswith("reconciler.model")]
"""Every capability that the engine asks for."""


class LeafSpec(ProjectItem):
    """A leaf."""

    name: Annotated[Name, Field(description="Its name.")]
    color: Annotated[str | None, Field(description="Its color."), Api(read="tint")] = None
    seen: Annotated[bool | None, Field(description="Whether it was seen."), Api(update_only=True)] = None


class _Leaves(Kind[LeafSpec], abstract=True):
    """What the kinds of this module share."""

    spec = LeafSpec
    inside = Inside()
    identity = ("name",)


class _Falls(Deletion):
    """Some leaves fall."""

    def takes_along(self, address: Address, row: Row, names: Names) -> list[Placed]:
        return [(1, "tree/other")]


class Plain(_Leaves):
    """Leaves without any capability."""

    name = "leaf"
    plural = "leaves"


class Special(_Leaves):
    """Leaves that can do something."""

    name = "leaf"
    plural = "leaves"
    ignores_case = True
    capabilities = (_Falls("it falls"), Nesting("foliage"), SideEffects(frozenset({"color"})))


PLAIN, SPECIAL = Plain(), Special()
HERE, CONTEXT = Address("leaf", "tree/one"), Context(Names(), "tree")
ROW: Row = {"id": 1, "name": "one", "project": {"id": 7}}


# -- how they are found ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_every_capability_has_a_neutral_object(family: type[Capability]) -> None:
    """A kind that does not list it has one, always the same, that names no field; and `has` says that it lists none."""
    neutral = PLAIN.capability(family)
    assert type(neutral) is family
    assert PLAIN.capability(family) is neutral
    assert not PLAIN.has(family)
    assert list(neutral.named_fields()) == []


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_every_capability_is_described(family: type[Capability]) -> None:
    """The class and each of its public methods has a docstring."""
    own = {name: value for name, value in vars(family).items() if callable(value) and not name.startswith("_")}
    inherited = set(vars(Capability))
    assert family.__doc__
    assert [name for name, method in own.items() if name not in inherited and not method.__doc__] == []


def test_a_listed_capability_is_found_by_its_family() -> None:
    """Whoever asks for the class gets the kind's own object, of the class itself or of a subclass."""
    assert SPECIAL.capability(Deletion) is SPECIAL.capabilities[0]
    assert SPECIAL.capability(_Falls) is SPECIAL.capabilities[0]
    assert SPECIAL.has(Deletion) and SPECIAL.has(Nesting) and not SPECIAL.has(Creation)
    assert SPECIAL.capability(Deletion).takes_along(HERE, ROW, Names()) == [(1, "tree/other")]


def test_what_each_kind_has_is_its_own() -> None:
    """Two kinds of one class do not share what was looked up for one of them."""
    other = Special()
    assert SPECIAL.capability(Creation) is not other.capability(Creation)
    assert SPECIAL.capability(Creation) == other.capability(Creation)


def test_a_capability_with_values_cannot_be_changed() -> None:
    """The neutral object is shared by everything that asks: nobody writes into it."""
    with pytest.raises(AttributeError):
        PLAIN.capability(Creation).unique = False  # type: ignore[misc]


def test_a_subclass_of_a_subclass_is_checked_too() -> None:
    """A misspelt method is reported however far it is from the capability."""
    with pytest.raises(
        ContractError, match=r'_Falling: "takes_allong" is not part .* \(did you mean "takes_along"\?\)'
    ):

        class _Falling(_Falls):
            def takes_allong(self) -> None: ...


def test_a_new_capability_may_have_any_names() -> None:
    """What derives from Capability itself says what there is to override."""

    class Colors(Capability):
        """A capability that only this test knows."""

        shade: str = ""

    assert PLAIN.capability(Colors).shade == ""
    with pytest.raises(ContractError, match="shades"):

        class _Many(Colors):
            shades = ""


# -- what the neutral ones answer ------------------------------------------------------------------------------

NOTHING: dict[str, Callable[[], Any]] = {
    "nothing is sent after the POST but what only an update takes": lambda: (
        PLAIN.capability(Creation).sent_after(PLAIN, {}, CONTEXT) - {"seen"}
    ),
    "no lists tell details": lambda: PLAIN.capability(BulkDetails).lists(PLAIN, {}, Need(), Names()),
    "no fields are told by lists": lambda: PLAIN.capability(BulkDetails).needs,
    "no list has the last one": lambda: PLAIN.capability(Streamed).last([1]),
    "there are no windows": lambda: list(PLAIN.capability(Streamed).windows(PLAIN, [1], frozenset(), 9)),
    "nothing is lost": lambda: PLAIN.capability(Deletion).loss,
    "no refusal is explained": lambda: PLAIN.capability(Deletion).why_refused,
    "nothing goes along": lambda: PLAIN.capability(Deletion).takes_along(HERE, ROW, Names()),
    "it is gone at once": lambda: PLAIN.capability(Deletion).until_gone(HERE),
    "it is not being deleted": lambda: PLAIN.capability(Deletion).being_deleted(ROW),
    "it depends on nothing": lambda: PLAIN.capability(Dependencies).depends_on(HERE, ROW, {}, (), CONTEXT),
    "it blocks nothing": lambda: PLAIN.capability(Dependencies).blocks(HERE, ROW, {}, (), CONTEXT),
    "it runs after nothing": lambda: PLAIN.capability(Dependencies).runs_after(HERE, ROW, CONTEXT),
    "no fields are changed along": lambda: PLAIN.capability(SideEffects).fields,
    "it changes nothing else": lambda: PLAIN.capability(SideEffects).side_effects_on(HERE, ROW, {}, (), CONTEXT),
    "no field has a workflow": lambda: PLAIN.capability(Workflow).workflow_page(1, "color"),
    "there is no transition": lambda: PLAIN.capability(Workflow).next_transition("red", ROW, frozenset(), CONTEXT),
    "nothing is stuck": lambda: PLAIN.capability(Workflow).why_stuck(ROW),
    "no field is derived": lambda: PLAIN.capability(DerivedFields).fields,
    "nothing derives a field": lambda: PLAIN.capability(DerivedFields).why_derived(ROW, "color", CONTEXT),
    "no kept value is explained": lambda: PLAIN.capability(KeptValues).why_kept(PLAIN, "color", "red", ROW, CONTEXT),
    "nothing unseen is written": lambda: PLAIN.capability(PartialRows).writes_unseen(ROW, CONTEXT),
    "no setting is wrong": lambda: PLAIN.capability(ManifestKey).setting_problem(Names()),
    "names mean something outside the manifests": lambda: PLAIN.capability(ManifestKey).only_declared({}),
    "no key is to be stored": lambda: PLAIN.capability(ManifestKey).to_store(HERE, ROW, CONTEXT),
    "no field holds keys": lambda: PLAIN.capability(ManifestKey).field(Names()),
    "no key is stored": lambda: PLAIN.capability(ManifestKey).stored(ROW, Names()),
    "no key is made": lambda: PLAIN.capability(ManifestKey).make_keys(Names(), {}),
    "nothing has to be declared": lambda: PLAIN.capability(ManifestKey).to_declare(HERE, ROW, Names()),
    "no definitions are needed": lambda: PLAIN.capability(ManifestKey).definitions({}, ("color",)),
    "nothing is visible elsewhere": lambda: PLAIN.capability(Sharing).visible_elsewhere(
        Reference(("leaf",), "tree", "one"), Names()
    ),
    "it can be used everywhere": lambda: PLAIN.capability(Sharing).unusable_reason(HERE, "wood", Names()),
    "it has no other name inside a project": lambda: PLAIN.capability(Nesting).name,
    "no administrator is needed": lambda: PLAIN.capability(ReadOnly).menu,
    "every object can be named": lambda: PLAIN.capability(ReadOnly).why_unusable(ROW),
    "writes may overlap": lambda: PLAIN.capability(Tree).one_write_at_a_time,
    "nothing cascades": lambda: PLAIN.capability(Tree).cascades,
    "no field says that it is archived": lambda: PLAIN.capability(Archive).field,
    "it is not archived": lambda: PLAIN.capability(Archive).is_archived(ROW),
    "its modules are not known": lambda: PLAIN.capability(Modules).enabled(ROW, None),
    "no module can be enabled": lambda: PLAIN.capability(Modules).hint("wiki"),
    "no object gets other custom fields": lambda: PLAIN.capability(FieldScope).changes_with(["color"]),
    "no value is in doubt": lambda: PLAIN.capability(Doubts).about(PLAIN, ROW, {"color": "red"}, CONTEXT),
    "no include is needed": lambda: PLAIN.capability(ProjectIncludes).include,
    "no other kind is meant": lambda: PLAIN.capability(Alternative).kind,
    "the account may do everything": lambda: PLAIN.capability(OwnAccount).forbids(_declared(), {"login": "a"}),
    "an export makes no file of its own": lambda: PLAIN.capability(Exporting).own_files,
    "texts are in the manifest": lambda: PLAIN.capability(Exporting).text_files,
    "no key is changed for an export": lambda: PLAIN.capability(Exporting).rename_for_export(PLAIN, Names()),
    "everything can be read": lambda: PLAIN.capability(Exporting).why_unreadable(ROW),
    "everything can be exported": lambda: PLAIN.capability(Exporting).why_not_exportable(HERE, ROW),
    "no value is refused": lambda: PLAIN.capability(Exporting).refused(PLAIN, {}, ROW, CONTEXT),
    "there are no doubts": lambda: PLAIN.capability(Exporting).doubts({}, ROW, CONTEXT),
}
"""What is expected, and how it is asked: the answer is "nothing"."""


def _declared() -> Any:
    return None


@pytest.mark.parametrize("said", NOTHING)
def test_a_neutral_capability_changes_nothing(said: str) -> None:
    """What a kind does not list has no effect."""
    answer = NOTHING[said]()
    assert not (tuple(answer) if isinstance(answer, Iterable) and not isinstance(answer, str) else answer)


def test_by_default_an_object_has_all_custom_fields_of_its_type() -> None:
    """Only some kinds know of exceptions."""
    available = PLAIN.capability(FieldScope).availability(CustomField(1, "Size"), ROW, {}, CONTEXT)
    assert available == Availability(True, "", "")


def test_by_default_a_post_answers_and_redmine_tells_twins_apart() -> None:
    """A new object is in the answer, is adopted if somebody else made it meanwhile, and a note says so."""
    creation = PLAIN.capability(Creation)
    assert (creation.unique, creation.answers, creation.adopts) == (True, True, True)
    assert "adopted" in creation.adoption_note
    assert creation.sent_after(PLAIN, {"color": "red", "seen": True}, CONTEXT) == {"seen"}


def test_by_default_an_object_is_found_again_by_its_key() -> None:
    """With Redmine's case: a kind whose names ignore it finds the object in another spelling."""
    context = Context(names_with(7), "tree")
    assert PLAIN.capability(ReadBack).identifies(PLAIN, ROW, HERE, {}, context)
    assert not PLAIN.capability(ReadBack).identifies(PLAIN, ROW, Address("leaf", "tree/ONE"), {}, context)
    assert SPECIAL.capability(ReadBack).identifies(SPECIAL, ROW, Address("leaf", "tree/ONE"), {}, context)


def test_by_default_objects_are_read_again_as_they_were_read() -> None:
    """The lists after a write are those before it."""
    names, need = names_with(7), Need({"leaf": frozenset({"tree/one"})})
    (lists,) = PLAIN.capability(ReadBack).again(PLAIN, frozenset({1}), need, names)
    assert [listing.path for listing in lists] == ["/projects/tree/leaves"]
    assert [isinstance(listing, Listing) for listing in lists] == [True]


def test_by_default_a_row_shows_everything_unless_it_is_marked() -> None:
    """Of a row that is marked as partial, only what is in it counts, by the name that answers have."""
    partial = PLAIN.capability(PartialRows)
    assert partial.shows(PLAIN, ROW, "color", {})
    assert not partial.shows(PLAIN, {**ROW, PARTIAL: True}, "color", {})
    assert partial.shows(PLAIN, {**ROW, PARTIAL: True, "tint": "red"}, "color", {})


def test_by_default_every_server_is_supported() -> None:
    """Only a kind whose rows tell the version can say otherwise."""
    assert PLAIN.capability(VersionProbe).is_supported([ROW])


def test_by_default_an_export_says_what_is_not_blank_and_not_a_default() -> None:
    """The project tells an object inside one from others; objects that Redmine makes itself are none by default."""
    exporting = PLAIN.capability(Exporting)
    assert exporting.identity_fields(PLAIN, HERE, ROW, Names()) == {"project": "tree"}
    assert exporting.exportable(ROW)
    assert exporting.non_defaults(PLAIN, {"name": "one", "color": ""}, ROW, CONTEXT) == {"name": "one"}
    red = Exporting(defaults=(("color", "red"),))
    assert red.non_defaults(PLAIN, {"color": "red"}, ROW, CONTEXT) == {}
    assert red.non_defaults(PLAIN, {"color": "green"}, ROW, CONTEXT) == {"color": "green"}


def test_marks_have_no_answers() -> None:
    """`People` only says what the rows are."""
    assert [name for name in vars(People) if not name.startswith("__")] == []


# -- what the kind makes of them -------------------------------------------------------------------------------


def test_the_kind_uses_what_it_lists() -> None:
    """The list inside a project has the name that is given, and a deletion loses what is said."""
    assert (nested_name(PLAIN), nested_name(SPECIAL)) == ("leaves", "foliage")
    assert list(SPECIAL.losses(ROW, {}, (), CONTEXT)) == ["it falls"]
    assert list(SPECIAL.losses(ROW, {"color": "red"}, ("color",), CONTEXT)) == []
    assert list(PLAIN.losses(ROW, {}, (), CONTEXT)) == []


def test_a_rename_has_the_key_of_the_earlier_name() -> None:
    """`renamed_from` is the first field of the identity."""
    spec = LeafSpec(project="tree", name="one", renamed_from="zero")
    assert earlier_key(PLAIN, spec, "tree") == "tree/zero"


def names_with(project: int) -> Names:
    """Names with one live project, `tree`."""
    names = Names()
    names.add("project", "tree", {"id": project, "identifier": "tree"})
    return names


def test_the_contract_stays_small() -> None:
    """Every kind has to know 25 members at most; what only some kinds can do is a capability."""
    members = [name for name in {**vars(Kind), **Kind.__annotations__} if not name.startswith("_")]
    assert len(members) <= 25
