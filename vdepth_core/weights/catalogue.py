"""The catalogue: what weights there are, where from, what they predict and what they may be used for.

``catalogue.toml`` is the one place that names models, licences and sources; it is read strictly, once.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..choices import one_of
from ..errors import UsageError, WeightsError
from ..types import ModelSpec, NativeSide, Quantity, Space

CATALOGUE = Path(__file__).with_name("catalogue.toml")
CHECKPOINTS = (".pt", ".pth", ".tar", ".ckpt", ".bin", ".zip")  # never stored: they become safetensors

_Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
_Url = Annotated[str, Field(pattern=r"^https?://")]


def is_inside(path: str) -> bool:
    """Whether ``path`` is a relative path with forward slashes that stays in its folder on any system.

    Args:
        path: As a catalogue or an index has it.
    """
    parts = path.split("/")
    return bool(path) and not any(part in ("", ".", "..") or set(part) & set('\\:*?"<>|\0') for part in parts)


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CatalogueFile(_Strict):
    """One published file.

    Attributes:
        path: Its name, with the subfolders of its repository; forward slashes.
        url: Where it lies, for files outside a repository.
        aliases: Other names it is published under, looked for by ``--from``.
        size: Bytes, exact; None: not known.
        sha256: What it hashes to; None: not known.
        md5: The same where its publisher gives this sum only.
        obtain: Where a person gets it by hand, if not where the others are.
        becomes: What a checkpoint is stored as; default its name with ``.safetensors``. A zip archive with
            several weights files becomes one file each, under their own names.
    """

    path: str
    url: _Url | None = None
    aliases: tuple[str, ...] = ()
    size: Annotated[int, Field(gt=0)] | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    md5: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = None
    obtain: _Url | None = None
    becomes: Annotated[str, Field(pattern=r"\.safetensors$")] | None = None

    @property
    def is_checkpoint(self) -> bool:
        """Whether it is converted to safetensors before anything reads it."""
        return PurePosixPath(self.path).suffix in CHECKPOINTS

    @property
    def stored_as(self) -> str:
        """Its name once installed."""
        if not self.is_checkpoint:
            return self.path
        if self.becomes:
            return self.becomes
        path = PurePosixPath(self.path)
        while path.suffix in CHECKPOINTS:
            path = path.with_suffix("")
        return f"{path}.safetensors"

    @model_validator(mode="after")
    def _sound(self) -> Self:
        for path in (self.path, *self.aliases, *([self.becomes] if self.becomes else [])):
            if not is_inside(path):
                raise ValueError(f"{path!r} is no relative path")
        if self.becomes and not self.is_checkpoint:
            raise ValueError(f"{self.path} is no checkpoint to convert")
        return self


class NetworkFacts(_Strict):
    """What is wanted of a network before its weights are there; the fields are those of `ModelSpec`.

    Loaded, the weights' own configuration says these too, where they have one.
    """

    parameters: Annotated[int, Field(ge=0)] = 0
    window: Annotated[int, Field(ge=1)] = 1
    chain: Annotated[int, Field(ge=1)] = 1
    multiple: Annotated[int, Field(ge=1)] = 32
    native_size: Annotated[int, Field(ge=1)] = 256
    native_side: NativeSide = "shorter"
    native_least: Annotated[int | None, Field(ge=1)] = None
    fixed_size: tuple[int, int] | None = None
    canonical: bool = False


class CatalogueEntry(_Strict):
    """One network's weights.

    Attributes:
        name: What ``vdepth weights`` and, of a model, ``--model`` take.
        kind: ``model``, or ``merge``: a network that makes one map of two, which predicts nothing itself.
        title: What its authors call it.
        family: Which loader understands the files.
        quantity, space: What a model's numbers mean, as `ModelSpec` has it.
        license, license_url: SPDX-like name of the weights' licence and where it can be read.
        commercial: Whether the weights may be used commercially; if not, installing needs consent.
        notice: What the user should know about the licence although no consent is needed.
        repo, revision: Hugging Face repository and branch, tag or commit.
        obtain: Where a person gets the files by hand, when they have no direct address.
        files: What is needed, and nothing else; the order is kept.
        size: Bytes to fetch, exact or as published.
        bundled: Ships inside the package; there is nothing to install.
        network: What is wanted of the network before its weights are there.
        variants: Other models that run the same weights, by name.
    """

    name: _Name
    title: str
    kind: Literal["model", "merge"] = "model"
    family: _Name
    quantity: Quantity | None = None
    space: Space | None = None
    license: str
    license_url: _Url
    commercial: bool
    notice: str = ""
    repo: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")] | None = None
    revision: str | None = None
    obtain: _Url | None = None
    files: tuple[CatalogueFile, ...] = ()
    size: Annotated[int, Field(gt=0)]
    bundled: bool = False
    network: NetworkFacts = NetworkFacts()
    variants: dict[_Name, NetworkFacts] = Field(default_factory=dict)

    def spec(self, model: str = "") -> ModelSpec:
        """What the model of these weights is, or the variant ``model``, without weights hash.

        Args:
            model: Name of a variant; empty or unknown: the entry's own model.
        """
        facts = self.variants.get(model, self.network)
        assert self.quantity is not None, f"{self.name} is no model"
        assert self.space is not None
        return ModelSpec(
            model or self.name,
            self.quantity,
            self.space,
            self.license,
            self.commercial,
            **facts.model_dump(),
        )

    @property
    def source(self) -> str:
        """Where the files come from, for people."""
        if self.repo:
            return f"https://huggingface.co/{self.repo}"
        return self.obtain or (self.files[0].url if self.files else None) or "the package"

    @property
    def how_to_install(self) -> str:
        """The command that installs it, and what to do before, as a hint."""
        command = f"vdepth weights install {self.name}"
        if not self.commercial:
            command += f" --accept-license {self.name}"
        if self.obtain:
            places: dict[str, list[str]] = {}
            for file in self.files:
                places.setdefault(file.obtain or self.obtain, []).append(file.path)
            fetch = " and ".join(f"{', '.join(names)} from {place}" for place, names in places.items())
            return f"Fetch {fetch}, then run: {command} --from FOLDER"
        return f"Run: {command}"

    @model_validator(mode="after")
    def _meaning(self) -> Self:
        said = [fact is not None for fact in (self.quantity, self.space)]
        if not (all(said) if self.kind == "model" else not any(said)):
            raise ValueError("quantity and space are said of models, and of nothing else")
        return self

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.repo is None) != (self.revision is None):
            raise ValueError("repo and revision go together")
        urls = [file.url is not None for file in self.files]
        ways = [self.bundled, self.repo is not None, self.obtain is not None, bool(urls) and all(urls)]
        if sum(ways) != 1 or (any(urls) and not ways[3]):
            raise ValueError(
                "exactly one of bundled, repo, obtain and a url for every file says where it comes from"
            )
        stored = [file.stored_as for file in self.files]
        if bool(stored) == self.bundled or len(set(stored)) != len(stored):
            raise ValueError("files must be named once each, unless bundled")
        sizes = [file.size for file in self.files]
        if sizes and None not in sizes and sum(size or 0 for size in sizes) != self.size:
            raise ValueError("size is not the sum of the files' sizes")
        return self


@lru_cache(maxsize=1)
def catalogue() -> Mapping[str, CatalogueEntry]:
    """All entries by name, in the order of the file."""
    return read_catalogue(CATALOGUE)


def published_file(sha256: str) -> CatalogueEntry | None:
    """The entry that names a file of this hash; None: nobody published it, as far as is known.

    Args:
        sha256: 64 hex digits.
    """
    for entry in catalogue().values():
        if any(file.sha256 == sha256 for file in entry.files):
            return entry
    return None


def published_models() -> Mapping[str, CatalogueEntry]:
    """The entry of each model's weights by the model's name."""
    found: dict[str, CatalogueEntry] = {}
    for entry in catalogue().values():
        if entry.kind == "model":
            found |= dict.fromkeys((entry.name, *entry.variants), entry)
    return found


def read_catalogue(path: Path) -> Mapping[str, CatalogueEntry]:
    """Reads a catalogue file.

    Args:
        path: A TOML file, one table an entry.

    Raises:
        WeightsError: it is missing, no TOML, or an entry has unknown, missing or contradictory fields.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        entries = {
            name: CatalogueEntry.model_validate({"name": name, **table}) for name, table in tables.items()
        }
    except (OSError, ValueError, TypeError) as error:
        raise WeightsError(
            f"The catalogue of weights {path} cannot be used: {_line(error)}.", "Reinstall vdepth."
        ) from error
    return MappingProxyType(entries)


def find_entry(name: str) -> CatalogueEntry:
    """The entry of ``name``.

    Args:
        name: As the user wrote it.

    Raises:
        UsageError: there is none; the message lists the names.
    """
    entry = catalogue().get(name)
    if entry is None:
        raise UsageError(f"There are no weights called {name}.", one_of(name, catalogue()))
    return entry


def _line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return f"{error.title} {where}: {first['msg']}"
    return " ".join(str(error).split()).rstrip(".")
