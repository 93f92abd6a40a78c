"""What a data set is, stated in ``data_manifests/<name>.yml`` and checked against a schema."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from shortlib.data.locations import project_root
from shortlib.data.paths import existing
from shortlib.data.problems import DataError

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Licence(_Strict):
    """Under what terms the data may be used."""

    name: Text
    url: str | None = None
    note: str | None = None


class Citation(_Strict):
    """A work to cite: a key of ``book/references.bib`` and the work in words."""

    key: str | None = None
    text: Text


class Split(_Strict):
    """How cases come to the parts."""

    names: tuple[Text, ...]
    rule: Text
    seed: int | None = None


class Counts(_Strict):
    """How much there should be; what is left out is not checked."""

    cases: Count | None = None
    patients: Count | None = None
    splits: dict[str, Count] = {}
    labels: dict[str, Count] = {}


class Images(_Strict):
    """What the images are on disk."""

    channels: Literal[1, 2, 3]
    format: Text
    size: Text


class RemoteFile(_Strict):
    """One file, or one archive, that may be fetched."""

    url: Text
    path: Text
    sha256: Sha256
    bytes: Count | None = None
    unpack: bool = False


class FileList(_Strict):
    """Many files: a table beside the manifest, with a checksum for each.

    The table has the columns ``file`` (path below the root), ``repository``,
    ``commit``, ``path``, ``bytes`` and ``sha256`` (of the original).
    """

    table: Text
    url: Text  # with {repository}, {commit} and {path}

    def address(self, row):
        """Return the URL of a row; blanks and the like in its path are quoted."""
        return self.url.format(**{**row, "path": quote(row["path"])})


class Preparation(_Strict):
    """How an original becomes the file that the reader reads."""

    match: Text
    mode: Literal["grey", "colour", "mask"]
    size: tuple[int, int] | None = None  # width, height
    longest: int | None = None
    quality: int = 90


class ByHand(_Strict):
    """A download whose checksum nobody published: the person takes it, not the program."""

    url: Text
    path: Text
    why: Text
    needed: bool = True  # whether the reader cannot do without it


class Making(_Strict):
    """How a built-in set is made."""

    writer: Text
    parameters: dict[str, Any] = {}


class Manifest(_Strict):
    """One data set."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    title: Text
    summary: Text
    layout: Text
    options: dict[str, Any] = {}
    access: Literal["open", "credentialed", "by hand", "own", "built-in"]
    steps: tuple[Text, ...] = ()
    homepage: str | None = None
    licence: Licence
    citations: tuple[Citation, ...] = ()
    images: Images
    tree: Text
    counts: Counts = Counts()
    splits: Split
    checks: tuple[Text, ...] = ()
    quirks: tuple[Text, ...] = ()
    files: tuple[RemoteFile, ...] = ()
    file_list: FileList | None = None
    prepare: tuple[Preparation, ...] = ()
    by_hand: tuple[ByHand, ...] = ()
    make: Making | None = None

    @model_validator(mode="after")
    def _has_what_its_access_needs(self):
        if self.access == "open" and not (self.files or self.file_list):
            raise ValueError("access 'open' needs files or file_list, with their SHA-256")
        if self.access != "open" and (self.files or self.file_list):
            raise ValueError(f"access {self.access!r} has nothing to fetch, yet files are listed")
        if (self.access == "built-in") != (self.make is not None):
            raise ValueError("make goes with access 'built-in', and only with it")
        if self.access in ("credentialed", "by hand", "own") and not self.steps:
            raise ValueError(f"access {self.access!r} needs steps that a person can follow")
        return self

    def list_checksum(self):
        """Return the SHA-256 of all that may be fetched: URLs, paths, checksums.

        Returns
        -------
        str or None
            None where nothing is listed.
        """
        if not (self.files or self.file_list):
            return None
        digest = hashlib.sha256()
        for item in (*self.files, self.file_list, *self.prepare):
            digest.update(item.model_dump_json().encode() if item else b"")
        if self.file_list:
            digest.update(self.list_path().read_bytes())
        return digest.hexdigest()

    def list_path(self):
        """Return the path of the table of files, which lies beside the manifests."""
        return existing(manifest_folder(), self.file_list.table, "list of files")

    def how_to_get(self):
        """Return one sentence on how a person gets this data set."""
        here = f"give its folder as data_root, or put it into the data folder as {self.name}"
        return {
            "open": f"fetch it with `shortlib data fetch {self.name}`",
            "built-in": f"make it with `shortlib data make {self.name}`",
        }.get(self.access, f"`shortlib data show {self.name}` has the steps; then {here}")


def manifest_folder():
    """Return the folder of the manifests.

    Raises
    ------
    DataError
        Outside a checkout: the manifests belong to the book, not to the package.
    """
    root = project_root()
    if root is None:
        raise DataError("no manifests", "data sets are known by name in a checkout only")
    return root / "data_manifests"


def manifest_names():
    """Return the names of all data sets, sorted."""
    return sorted(path.stem for path in manifest_folder().glob("*.yml"))


@cache
def load_manifest(name):
    """Read and check one manifest.

    Parameters
    ----------
    name : str
        Of a data set, e.g. ``"chexpert"``.

    Returns
    -------
    Manifest

    Raises
    ------
    ValueError
        If there is no such data set; the sentence lists those that there are.
    DataError
        If the file breaks the schema; the sentence names the field.
    """
    if name not in manifest_names():
        raise ValueError(f"data set must be one of {', '.join(manifest_names())}, got {name!r}")
    return read_manifest(manifest_folder() / f"{name}.yml")


def read_manifest(path):
    """Read and check a manifest file; see :func:`load_manifest`."""
    path = Path(path)
    try:
        manifest = Manifest.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError("broken manifest", " ".join(str(error).split()), path=path) from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "manifest"
        sentence = f"{field}: {first['msg']}, got {first['input']!r}"[:500]
        raise DataError("broken manifest", sentence, path=path) from error
    if manifest.name != path.stem:
        raise DataError("broken manifest", f"name: {manifest.name!r} is not the file's", path=path)
    return manifest
