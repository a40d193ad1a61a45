"""What a clip's numbers mean, and how they become light: what the user states, then what the files declare or
name, then what is usual.

A display-referred picture is used as it is. Everything else (scene-linear, HDR, camera log) is brought to
linear Rec. 709 by a `Light` and shown by `display` with one exposure a shot.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from ..errors import UsageError
from ..protocols import Light
from .colorspace import LINEAR_REC709, colorspace_named
from .primaries import to_rec709
from .transfer import LOG, Curve, transfer_named

_TOLD = frozenset({"log", "scene-linear", "hdr-video"})  # display-referred pictures are used as they are
_ROLES = frozenset({"scene_linear", "linear", "data", "unknown"})  # a file's way of saying nothing
_STATE_IT = "--colorspace names its camera (logc3, slog3, vlog …) and shows it as a display would."


@dataclass(frozen=True)
class Declared:
    """What files say about their colour.

    Attributes:
        transfer: In FFmpeg's words, empty where they do not say.
        usual: The transfer to assume then.
        chromaticities: x, y of red, green, blue and white; None: Rec. 709's.
        colorspace: A colour space that metadata name, empty where none does.
    """

    transfer: str = ""
    usual: str = "unknown"
    chromaticities: Sequence[float] | None = None
    colorspace: str = ""


@dataclass(frozen=True)
class Colour:
    """What was settled for a clip.

    Attributes:
        light: How its pictures become light; None for display-referred ones.
        transfer: In FFmpeg's words, or ``unknown``.
        colorspace: Name of the colour space where one was stated or found.
        identity: Changes with everything that decides ``light`` and that the files alone do not.
        notes: Sentences for the user.
    """

    light: Light | None
    transfer: str
    colorspace: str = ""
    identity: str = ""
    notes: tuple[str, ...] = ()


def settle_colour(declared: Declared, transfer: str | None = None, colorspace: str | None = None) -> Colour:
    """Decides how a clip's pictures are shown.

    Args:
        declared: What its files say.
        transfer: The transfer characteristic the user states, in FFmpeg's words or friendlier ones.
        colorspace: The colour space the user states.

    Raises:
        UsageError: both are stated, or one is unknown.
    """
    if transfer and colorspace:
        raise UsageError(
            "--transfer and --colorspace both say what the picture's numbers mean.",
            "Give one: a colour space says its transfer too.",
        )
    if colorspace:
        return _named(colorspace, "as stated")
    if transfer:
        word = transfer_named(transfer)
        says = declared.transfer not in {"", "unknown", word}
        against = f" (the file says {declared.transfer})" if says else ""
        note = f"The transfer is taken as {word}, as stated{against}."
        return _by_transfer(word, declared, f"transfer/{word}", (note,))
    if declared.colorspace:
        with suppress(UsageError):
            return _named(declared.colorspace, "as its metadata say; --colorspace states another")
    word = declared.transfer or declared.usual
    if word in LOG:
        note = f"The picture is log-encoded ({word}) and is used as it is; {_STATE_IT}"
        return Colour(None, word, notes=(note,))
    return _by_transfer(word, declared, "", ())


def named_in(metadata: Iterable[Mapping[str, str]]) -> str:
    """The camera log that one of a container's tags names, e.g. ``gamma: LOG-C``; empty where none does.

    Args:
        metadata: Tags of the container and of its streams; the first that names a log wins.
    """
    for tags in metadata:
        for key, value in tags.items():
            if any(word in key.casefold() for word in ("gamma", "color", "colour", "transfer", "log")):
                if "log" not in value.casefold() or len(value) > 60:
                    continue
                with suppress(UsageError):
                    found = colorspace_named(value)
                    if found.encoding == "log":
                        return found.name
    return ""


def named_by_image(attributes: Mapping[str, str]) -> str:
    """The colour space an image's header names, empty where it is what is usual or nobody knows it.

    Args:
        attributes: Text attributes under OpenImageIO's names: ``colorInteropID``, ``oiio:ColorSpace``,
            ``dpx:Transfer``.
    """
    # SMPTE 268M: printing density is what film scanners write, Cineon's curve; "logarithmic" is any log.
    if attributes.get("dpx:Transfer", "").casefold() == "printing density":
        return "Cineon"
    for key in ("colorInteropID", "oiio:ColorSpace"):
        with suppress(UsageError):
            if (name := attributes.get(key, "")) and name.casefold() not in _ROLES:
                found = colorspace_named(name)
                usual = found.name == LINEAR_REC709
                return found.name if found.encoding in _TOLD and not usual else ""
    return ""


def _named(name: str, why: str) -> Colour:
    if name.casefold() == "cineon":  # in no ACES configuration, and needs none
        note = f"The picture is taken as Cineon film log, {why}, and shown with one exposure a shot."
        return Colour(Curve("cineon"), "cineon", "Cineon", "transfer/cineon", (note,))
    space = colorspace_named(name)
    note = f"The picture is taken as {space.name}, {why}, and shown with one exposure a shot."
    return Colour(space, space.encoding or "unknown", space.name, space.identity, (note,))


def _by_transfer(word: str, declared: Declared, identity: str, notes: tuple[str, ...]) -> Colour:
    if not Curve.knows(word):
        return Colour(None, word, identity=identity, notes=notes)
    light = Curve(word, to_rec709(declared.chromaticities))
    shown = "scene-linear" if word == "linear" else "log" if word in {"cineon", *LOG} else "HDR"
    notes = (*notes, f"The picture is {shown} and is tone-mapped with one exposure a shot.")
    return Colour(light, word, identity=identity, notes=notes)
