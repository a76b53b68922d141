"""Files of a project: `GET/POST /projects/:p/files` (3.4 to 7.0), `PUT/DELETE /attachments/:id`.

The list has the files of the project and of its versions, with a digest: SHA-256, or MD5 for those that were uploaded
before Redmine 3.4. The answer to a POST is 204 without an id. Redmine never changes a file's content and keeps several
files of one name side by side: a changed file is uploaded again, and the old one is deleted after that.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints, ValidationInfo, WithJsonSchema, model_validator

from reconciler.manifest.loader import Map
from reconciler.model.address import Address, Row, Unresolved, split_key
from reconciler.model.attachments import sha256
from reconciler.model.capabilities import Creation, ReadBack, Rows
from reconciler.model.codecs import Candidate, Codec, Ref, Upload, digest, stored
from reconciler.model.export_hooks import Exporting
from reconciler.model.forms import ANY, NAME, TEXT, WHOLE
from reconciler.model.kind import Inside, Kind, Listing, Matches, Need, Object, Request
from reconciler.model.local_files import fault, path_of, stored_name
from reconciler.model.name_index import Context, Names
from reconciler.model.pruning import Contents, Pruning
from reconciler.model.requests import payload
from reconciler.model.rights import all_need
from reconciler.model.spec import REFUSE, Api, Id, Name, ProjectItem

VERSION = Ref(("version",))
GONE: Mapping[int, None] = {403: None, 404: None}
SHA256 = 64
"""Length of a SHA-256 in hexadecimal."""


def _path(value: Any, info: ValidationInfo) -> Any:
    """A plain path as `{file: PATH}` at the place of the object: it is relative to the manifest."""
    body = (info.context or {}).get("body")
    # The place says what the path is relative to, and which folder it must not leave.
    if isinstance(value, str) and value and isinstance(body, Map):
        named = body.origin(str(info.field_name))
        placed = Map(named.file, named.at, named.root)
        placed["file"] = value
        return placed
    if not (isinstance(value, Mapping) and set(value) == {"file"} and isinstance(value["file"], str)):
        raise ValueError("expected a path or {file: PATH}")
    return value


_FILE = {"type": "object", "properties": {"file": {"type": "string"}}, "additionalProperties": False}
LocalFile = Annotated[Any, BeforeValidator(_path), WithJsonSchema({"anyOf": [{"type": "string"}, _FILE]})]


class FileName(Codec):
    """A file's name, as Redmine stores it."""

    form = NAME

    def canonical(self, value: Any, context: Context) -> Any:
        return stored_name(str(value))


class Content(Codec):
    """What is in a file: `{"file", "sha256"}`; what is live can have `copies`."""

    def faults(self, value: Any) -> Iterable[tuple[str, Unresolved]]:
        error = fault(value) if value else None
        return [("", error)] if error else []

    def canonical(self, value: Any, context: Context) -> Any:
        path = path_of(value)
        return {"file": str(path), "sha256": digest(path.read_bytes())}

    def written(self, value: Any, context: Context) -> Any:
        row = context.names.row(context.own) if context.own else None
        return stored(value["id"], value["file"], row or {}, context)

    def equal(self, desired: Any, live: Any) -> bool:
        return bool(live and desired["sha256"] == live["sha256"] and "copies" not in live)

    def files(self, value: Any, wire: Any, context: Context) -> Iterable[Candidate]:
        for row in wire or ():
            # An MD5 cannot be compared with a SHA-256: only these files have to be downloaded.
            if len(row["digest"]) != SHA256:
                yield Candidate(row["id"], row["filename"], path_of(value).stat().st_size, row)


class FileSpec(ProjectItem):
    """A file for download. Its identity is the project, the version and the name."""

    filename: Annotated[
        Name | None,
        StringConstraints(max_length=255, pattern=r"^[^/\\]+$"),
        Field(
            description="A name without slashes, at most 255 characters. Default: that of `path`.",
            examples=["manual-1.0.pdf"],
        ),
        Api(codec=FileName(), clear=REFUSE, label="File"),
    ] = None
    version: Annotated[
        Name | None,
        Field(description="Name of the project's version that it belongs to. Default: none.", examples=["1.0"]),
        Api(codec=VERSION, write="version_id", clear=REFUSE),
    ] = None
    path: Annotated[
        LocalFile,
        Field(description="The local file, relative to the manifest: PATH or {file: PATH}.", examples=["manual.pdf"]),
        # Redmine shows no such field: `match` adds `copies` to each row, and `live` makes the value of them.
        Api(codec=Content(), read="copies", clear=REFUSE),
    ] = None
    description: Annotated[
        str | None,
        StringConstraints(max_length=255),
        Field(description="At most 255 characters.", examples=["For users of version 1.0"]),
        Api(clear="", main_text=True),
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _name(cls, values: Any) -> Any:
        """Without a `filename` it has that of the local file."""
        # Before validation: the name is part of the identity, and a manifest may leave it out.
        path = values.get("path")
        path = path.get("file") if isinstance(path, Mapping) else path
        return {"filename": Path(path).name, **values} if isinstance(path, str) and Path(path).name else values


class _ReadBack(ReadBack):
    """The same name, and the same content if that was written."""

    def identifies(self, kind: Kind, row: Row, address: Address, values: Mapping[str, Any], context: Context) -> bool:
        # The POST answers without an id (5.0 to 6.1), and several files can share the name: the content decides.
        same = "path" not in values or row["digest"] == values["path"]["sha256"]
        return same and kind.key_of(row, context) == address.key


class _Pruning(Pruning):
    """A row also counts the downloads, which change by themselves."""

    def link(self, kind: Kind, address: Address, number: Id) -> str:
        return f"/attachments/{number}"

    def evidence(self, kind: Kind, row: Row) -> Any:
        return [[copy["id"], copy["digest"], copy.get("description")] for copy in row.get("copies", ())]


class _Export(Exporting):
    """A manifest can have only one file of a name."""

    def why_not_exportable(self, address: Address, row: Row) -> str:
        copies = len(row["copies"])
        return f"there are {copies} files of this name, but a manifest can declare only one" if copies > 1 else ""


class Files(Kind[FileSpec]):
    """Rows of the same name, project and version are copies: a run stopped after the upload of a new content."""

    name = "file"
    plural = "files"
    spec = FileSpec
    # Keys contain the version's name, so versions must be known before the rows are matched.
    inside = Inside(module="files", reads_after=("version",))
    identity = ("filename", "version")
    required = ("path",)
    rank = 84
    capabilities = (
        all_need("manage_files"),
        Rows({"filename": NAME, "digest": TEXT, "project": ANY, "copies": ANY, "filesize": WHOLE.optional}),
        Creation(unique=False, answers=False),
        Contents("file", "files"),
        _ReadBack(),
        _Pruning(),
        _Export(own_files=True),
    )

    # -- identity ----------------------------------------------------------------------------------------------

    def key(self, spec: FileSpec, project: str) -> str:
        return _key(project, spec.version, stored_name(_file_name(spec)))

    def key_of(self, row: Row, context: Context) -> str | None:
        shown = row.get("version")
        # A version that is declared under a new name still has the old one.
        version = split_key(context.key("version", shown["id"]) or f"/{shown['name']}")[1] if shown else ""
        return _key(row["inside"], version, row["filename"])

    def match(self, rows: Sequence[Row], context: Context, objects: Sequence[Object[FileSpec]]) -> Matches:
        copies: defaultdict[str, list[Row]] = defaultdict(list)
        # The newest is the file; older ones are left from a replacement that was interrupted.
        for row in sorted(rows, key=lambda r: r["id"]):
            copies[str(self.key_of(row, context))].append(row)
        problems = (
            (wanted, _several(copies[wanted.address.key]), "delete all but one of them in Redmine")
            for wanted in objects
            # Which of them to delete is not to be guessed; for a present file see `conflicts`.
            if wanted.spec.state == "absent" and len(copies.get(wanted.address.key, ())) > 1
        )
        return Matches({key: {**same[-1], "copies": same} for key, same in copies.items()}, tuple(problems))

    def check(self, declared: Object[FileSpec], settings: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        if not _file_name(declared.spec):
            yield "", "filename or path is missing"

    def conflicts(self, row: Row | None, values: Mapping[str, Any], context: Context) -> Iterable[tuple[str, str, str]]:
        version = values.get("version")
        if isinstance(version, Mapping):
            message = f"expected a version of the same project, found one of {version['project']}"
            yield "version", message, "declare the file in that project"
        copies = (row or {}).get("copies", ())
        if len(copies) > 1 and content(copies[-1], context) != values.get("path", {}).get("sha256"):
            yield "", _several(copies), "delete all but one of them in Redmine"

    # -- read --------------------------------------------------------------------------------------------------

    def tiers(self, need: Need, names: Names) -> Iterable[list[Listing]]:
        yield [
            # Rows do not show their project (5.0 to 6.1), hence the mark.
            Listing(f"/projects/{p}/files", "files", paged=False, mark={"inside": p}, none=GONE, seen_from=p)
            for p in need.projects(self.name)
            if p in names.live("project").ids
        ]

    def live(self, row: Row, name: str, context: Context) -> Any:
        if name != "path":
            return super().live(row, name, context)
        seen = {"file": row["filename"], "sha256": content(row, context), "id": row["id"]}
        copies = len(row.get("copies", ()))
        return {**seen, "copies": copies} if copies > 1 else seen

    # -- write -------------------------------------------------------------------------------------------------

    def create(self, address: Address, values: Mapping[str, Any], context: Context) -> Request:
        more = payload(self.fields, {n: v for n, v in values.items() if n in ("version", "description")}, context)
        return self._upload(address, values["path"], more)

    def update(self, address: Address, number: Id, values: Mapping[str, Any], context: Context) -> list[Request]:
        row = context.names.row(address) or {}
        copies = row.get("copies") or [row]
        texts = payload(self.fields, {n: v for n, v in values.items() if n in ("filename", "description")}, context)
        wanted = values.get("path")
        # A run that was killed before the deletion has left the new content as the newest copy: no second upload.
        kept = copies[-1] if wanted is None or content(copies[-1], context) == wanted["sha256"] else None
        if wanted is not None and kept is None:
            # The new file is another attachment: without these, the old description and version would be lost.
            like = None if "description" in texts else number
            first = [self._upload(address, wanted, {**_as_before(row), **texts}, like)]
        else:
            first = [Request("PUT", f"/attachments/{number}", {"attachment": texts})] if texts else []
        gone = [old["id"] for old in copies if old is not kept] if wanted is not None else []
        # The upload comes first: if it fails, the old file is still there.
        return [*first, *(Request("DELETE", f"/attachments/{old}") for old in gone)]

    def _upload(
        self, address: Address, wanted: Mapping[str, Any], more: Mapping[str, Any], like: Id | None = None
    ) -> Request:
        name = address.key.rpartition("/")[2]
        rest = {field: value for field, value in more.items() if field != "filename"}
        file = Upload(Path(wanted["file"]), wanted["sha256"], name, rest, like)
        return Request("POST", f"/projects/{address.project}/{self.plural}", {"file": file})

    def delete(self, address: Address, number: Id, context: Context) -> Request:
        return Request("DELETE", f"/attachments/{number}")

    def losses(self, row: Row, values: Mapping[str, Any], changed: Collection[str], context: Context) -> Iterable[str]:
        old = row.get("copies", ())[:-1]
        if "path" in changed and old:
            yield f"also deletes {_numbers(old)}, earlier files of the same name"


def _file_name(spec: FileSpec) -> str:
    """The file's declared name, else that of the local file, or ""."""
    return spec.filename or (Path(spec.path["file"]).name if spec.path else "")


def _key(project: str, version: str | None, filename: str) -> str:
    """A file's name has no slash, so the last part of the key is the name."""
    return f"{project}/{version}/{filename}" if version else f"{project}/{filename}"


def _several(copies: Sequence[Row]) -> str:
    return f"several files match: {_numbers(copies)}"


def _numbers(rows: Iterable[Row]) -> str:
    return ", ".join(f"#{row['id']}" for row in rows)


def _as_before(row: Row) -> dict[str, Any]:
    """What a new upload takes over from the file that it replaces."""
    version = {"version_id": row["version"]["id"]} if row.get("version") else {}
    return {"description": row.get("description") or "", **version}


def content(row: Row, context: Context) -> str:
    """The SHA-256 of a live file; "" if only its MD5 is known and it was not downloaded."""
    return str(row["digest"]) if len(row["digest"]) == SHA256 else sha256(row, context)


KINDS = (Files(),)
