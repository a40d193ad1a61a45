"""Which layer of a multi-layer image is the picture: the beauty, by the names hosts give it, never data.

Blender writes ``ViewLayer.Combined.R``, Arnold and Nuke bare ``R`` and ``rgba.red``; others give each layer
a part with bare ``R`` in it. A layer's name is the part's and the channels' together.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from ..errors import UsageError

_COLOURS = (("r", "g", "b"), ("red", "green", "blue"))
_BARE = "rgba"  # what the layer of bare R, G, B is called
# The hosts' names of the picture, the surest first; a compositor's result comes before what went into it.
_BEAUTY = (
    ("composite",), ("rgba", "rgb", "rgbcolor", "rgbacolor"), ("beauty", "bty"), ("combined",), ("ci", "c"),
    ("color", "colour", "image", "main", "master", "final", "default", "primary"),
)  # fmt: skip
_LIKE_BEAUTY = frozenset({"beauty", "combined", "composite", "rgba"})  # beauty_denoised, RGBA_key
# Words of layers that hold something else: data, or a part of the light only.
_DATA = frozenset(
    """albedo alpha ambient ambientocclusion ao bary basecolor bump caustic caustics clearcoat coat confidence
    crypto cryptomatte curvature denoise depth deep diff diffcol diffdir diffind diffuse direct disparity
    displacement emission emissive emit env environment face facing flow fresnel gi gloss glosscol glossdir
    glossind glossy id ids illumination indexma indexob indirect light lighting lpe mask material materialid
    matte metallic metalness mist motion motionvector motionvectors mv mvec n nn normal normals noise object
    objectid occlusion opacity p pn pnt point pointworld pos position pref puzzlematte pworld pz rawdiffuse
    reflect reflection reflections refl refr refract refraction roughness samplerate samples scatter
    selfillum shading shadow shadowcatcher shadows sheen spec specular speed sss st subsurface subsurfacecol
    subsurfacedir subsurfaceind tangent texcoord transcol transdir transind translucency translucent
    transmission transparency uv uvs variance vector vectors vel velocity volume volumedir volumeind weight
    wire wireframe world worldnormal worldposition wp z zdepth zdepthraw multimatte""".split()  # noqa: SIM905
)
_EYES = ("left", "right")


@dataclass(frozen=True)
class Layer:
    """Channels that belong together.

    Attributes:
        name: As the user writes it.
        part: Index of the part that holds it.
        channels: Names of the channels to read: three, or one for a grey picture.
        colour: Whether they are red, green and blue, or luminance.
        view: ``left`` or ``right``, or another view's name; empty where there is one view only.
    """

    name: str
    part: int
    channels: tuple[str, ...]
    colour: bool
    view: str = ""

    @property
    def plain(self) -> list[str]:
        """The name's parts without that of a view."""
        eyes = {self.view.casefold(), *_EYES}
        return [word for word in self.name.split(".") if word.casefold() not in eyes]

    @property
    def words(self) -> list[str]:
        """What the layer's own name says: its last part, taken to pieces."""
        spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", (self.plain or [""])[-1])
        return [word for word in re.split(r"[^a-z]+", spaced.casefold()) if word]

    @property
    def is_data(self) -> bool:
        """Whether the name says that it is not the picture."""
        words = self.words
        joined = "".join(words)
        return joined in _DATA or any(word in _DATA for word in words) or joined.startswith("crypto")


@dataclass(frozen=True)
class Part:
    """One part of a file.

    Attributes:
        name: Its name, empty in a file of one.
        channels: Its channels.
        view: The view it belongs to, where it says.
        views: All views whose channels it holds, the one of unnamed channels first.
        deep: Whether it holds deep samples.
    """

    name: str
    channels: tuple[str, ...]
    view: str = ""
    views: tuple[str, ...] = ()
    deep: bool = False


@dataclass(frozen=True)
class Choice:
    """The layer taken.

    Attributes:
        layer: It.
        note: What to tell the user, empty where there was no choice.
    """

    layer: Layer
    note: str = ""


class NoPicture(Exception):
    """A file's layers hold no picture; the message says what they are."""


def list_layers(parts: Sequence[Part]) -> list[Layer]:
    """All layers of a file that can be read, in the file's order; each name is there once.

    Args:
        parts: Channels and facts of each part, as its header says.
    """
    layers: list[Layer] = []
    for index, part in enumerate(parts):
        if part.deep:
            continue
        groups: dict[str, list[str]] = {}
        for channel in part.channels:
            groups.setdefault(channel.rpartition(".")[0], []).append(channel)
        for prefix, channels in groups.items():
            layers.append(_layer(index, part, prefix, channels))
    taken: dict[str, int] = {}
    for place, layer in enumerate(layers):
        taken[layer.name] = taken.get(layer.name, 0) + 1
        if taken[layer.name] > 1:
            layers[place] = replace(layer, name=f"{layer.name}.{taken[layer.name]}")
    return layers


def choose_layer(layers: Sequence[Layer], deep: bool = False) -> Choice:
    """The picture among a file's layers.

    Args:
        layers: What `list_layers` gave.
        deep: Whether the file has deep parts too, which cannot be read.

    Raises:
        NoPicture: they hold data only, or several may be meant.
    """
    colours = [layer for layer in layers if layer.colour]
    ranked = sorted((_rank(layer, place), layer) for place, layer in enumerate(colours) if not layer.is_data)
    if not ranked:
        if deep:
            raise NoPicture("has deep samples only; flatten it first")
        raise NoPicture(f"holds no picture, only {_named(layers)}" if layers else "holds no channels")
    layer = ranked[0][1]
    unknown = [other for rank, other in ranked if rank[0] == len(_BEAUTY) + 2]
    alike = [other for other in unknown if other.part == layer.part and other.view == layer.view]
    if layer in unknown and len(alike) > 1:
        raise NoPicture(f"has {len(alike)} layers that may be the picture: {_named(alike)}")
    if len(colours) == 1:
        return Choice(layer)
    others = [other for other in colours if other != layer]
    view = f", the {layer.view} view," if layer.view in _EYES else ""
    return Choice(
        layer,
        f"The layer {layer.name}{view} is taken as the picture; --layer chooses another ({_named(others)}).",
    )


def layer_named(layers: Sequence[Layer], name: str, file: str) -> Layer:
    """The layer of ``file`` a user means: by its whole name, or by an end that no other has, in any case.

    Args:
        layers: Those of the file.
        name: As the user wrote it.
        file: Its name, for messages.

    Raises:
        UsageError: there is none, or more than one; lists what there is.
    """
    wanted = name.strip().casefold().strip(".")
    for ends in (False, True):
        found = [
            layer
            for layer in layers
            if (own := layer.name.casefold()) == wanted or (ends and own.endswith(f".{wanted}"))
        ]
        if len(found) == 1:
            return found[0]
        if found:
            raise UsageError(
                f"Several layers of {file} are called {name}: {_named(found)}.", "Give the whole name."
            )
    near = get_close_matches(wanted, [layer.name.casefold() for layer in layers], 1, 0.5)
    meant = next((f"Did you mean {layer.name}? " for layer in layers if layer.name.casefold() in near), "")
    raise UsageError(f"{file} has no layer called '{name}'.", f"{meant}Its layers are {_named(layers, 40)}.")


def _layer(index: int, part: Part, prefix: str, channels: Sequence[str]) -> Layer:
    views = {*_EYES, *part.views, part.view} - {""}
    name = prefix
    if part.name and not prefix.casefold().startswith(part.name.casefold()):
        # a part called as its only layer is that layer; otherwise both names are needed
        name = f"{part.name}.{prefix}" if prefix else part.name
    own = (word for word in name.split(".") if word in views)
    view = next(own, part.view or next(iter(part.views), ""))
    layer = _with_channels(name, index, channels, view)
    if name:
        return layer
    bare = _BARE if len(layer.channels) == 3 else "Y"
    return replace(layer, name=bare if layer.colour else "".join(channels[:4]))


def _with_channels(name: str, part: int, channels: Sequence[str], view: str) -> Layer:
    ends = {channel.rpartition(".")[2].casefold(): channel for channel in channels}
    for names in _COLOURS:
        if all(end in ends for end in names):
            return Layer(name, part, tuple(ends[end] for end in names), True, view)
    grey = "y" in ends and not ends.keys() & {"x", "z", "ry", "by"}
    if grey:
        return Layer(name, part, (ends["y"],), True, view)
    for names in (("x", "y", "z"), ("u", "v", "w")):
        if all(end in ends for end in names):
            return Layer(name, part, tuple(ends[end] for end in names), False, view)
    return Layer(name, part, (channels[0],), False, view)


def _rank(layer: Layer, place: int) -> tuple[int, bool, int]:
    """Smaller is surer; of equals the left eye's, then the first."""
    whole = [re.sub(r"[^a-z]", "", word.casefold()) for word in layer.plain] or [_BARE]
    ours = next(
        (
            number
            for number, names in enumerate(_BEAUTY)
            if whole[-1] in names or (names == ("composite",) and whole[0] == "composite")
        ),
        None,
    )
    bare = all("." not in channel for channel in layer.channels)
    if whole == [_BARE]:
        number = 0
    elif ours is not None:
        number = ours + 1
    elif _LIKE_BEAUTY & set(layer.words) or bare:
        number = len(_BEAUTY) + 1
    else:
        number = len(_BEAUTY) + 2
    return number, layer.view == "right", place


def _named(layers: Sequence[Layer], most: int = 12) -> str:
    names = [layer.name for layer in layers]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
