"""The lamps of a relight: a JSON file, or words of the command line, with values keyed over frames.

    {"version": 1, "plate": 1.0, "material": {"roughness": 0.5, "specular": 0.0},
     "lights": [{"type": "sun", "direction": [-1, 1, 1], "intensity": 0.8, "color": [1, 0.9, 0.8]},
                {"type": "point", "position": [0.2, 0.1, -0.8], "keys": [{"frame": 1001, "intensity": 0},
                                                                         {"frame": 1040, "intensity": 2}]},
                {"type": "ambient", "intensity": 0.2}]}

Directions and positions are in the camera's axes as normals are: x right, y up, z to the camera. Positions
are in middle distances of the shot, so that a lamp fits whatever unit the depth has.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ...errors import InputError, UsageError
from ...files import require_file

_HINT = "docs/relighting.md shows a file of lights."
_SAID = (
    "Write sun:X,Y,Z, point:X,Y,Z or ambient, each with :INTENSITY behind it or not, or name a .json file."
)

Vector = tuple[float, float, float]
Share = Annotated[float, Field(ge=0, le=1)]
Strength = Annotated[float, Field(ge=0, le=1000)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Values(_Strict):
    """What of a lamp may be keyed; None: as the lamp has it.

    Attributes:
        direction: To the sun.
        position: Of a point lamp, in middle distances of the shot.
        intensity: Light of a white matte surface that faces the lamp, over the plate's; a point lamp's at
            ``reach``.
        color: Linear red, green and blue; what they are multiplied by.
    """

    direction: Vector | None = None
    position: Vector | None = None
    intensity: Strength | None = None
    color: tuple[Strength, Strength, Strength] | None = None


class Key(Values):
    """Values at a frame.

    Attributes:
        frame: Its number, as in the files' names.
    """

    frame: int


class Lamp(Values):
    """A lamp.

    Attributes:
        type: A sun far away, a point, or light from everywhere.
        softness: Half the angle that the lamp fills, in degrees: how wide shadows' edges are.
        shadow: How dark shadows are; of an ambient lamp, how dark corners are.
        reach: Middle distances at which a point lamp has its intensity; nearer it is brighter.
        keys: Values at frames, by ascending numbers; in a straight line between them.
    """

    type: Literal["sun", "point", "ambient"]
    softness: Annotated[float, Field(ge=0.1, le=45)] = 2.0
    shadow: Share = 1.0
    reach: Annotated[float, Field(gt=0, le=1000)] = 1.0
    keys: tuple[Key, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        wanted = {"sun": "direction", "point": "position"}.get(self.type)
        for name in ("direction", "position"):
            said = [getattr(self, name), *(getattr(key, name) for key in self.keys)]
            if name != wanted and any(value is not None for value in said):
                raise ValueError(f"a lamp of type {self.type} has no {name}")
            if name == wanted and said[0] is None and (len(said) == 1 or None in said[1:]):
                raise ValueError(f"a lamp of type {self.type} needs a {name}")
            if name == "direction" and any(value is not None and not any(value) for value in said):
                raise ValueError("a direction of 0, 0, 0 is none")
        numbers = [key.frame for key in self.keys]
        if any(later <= number for number, later in pairwise(numbers)):
            raise ValueError("keys are in the order of their frames, and each frame has one")
        return self

    def at(self, frame: int) -> Lamp:
        """The lamp as it is at a frame, without keys.

        Args:
            frame: Its number.
        """
        found: dict[str, Any] = {}
        for name in Values.model_fields:
            own = getattr(self, name)
            keyed = [(key.frame, getattr(key, name)) for key in self.keys if getattr(key, name) is not None]
            if keyed:
                times = [time for time, _ in keyed]
                rows = np.array([value for _, value in keyed], np.float64).reshape(len(keyed), -1)
                value = [float(np.interp(frame, times, column)) for column in rows.T]
                own = value[0] if name == "intensity" else tuple(value)
            found[name] = own
        if found["intensity"] is None:
            found["intensity"] = 1.0
        if found["color"] is None:
            found["color"] = (1.0, 1.0, 1.0)
        return self.model_copy(update={**found, "keys": ()})


class Material(_Strict):
    """What all surfaces are made of.

    Attributes:
        roughness: Of the gloss (GGX), 0.05 a mirror's, 1 a wall's.
        specular: How much gloss there is; 1 is what plastic has.
    """

    roughness: Annotated[float, Field(ge=0.05, le=1)] = 0.5
    specular: Annotated[float, Field(ge=0, le=20)] = 0.0


class Lights(_Strict):
    """All that lights a shot anew.

    Attributes:
        version: Of the format.
        plate: Share of the plate's own light that is kept.
        material: Of all surfaces.
        lights: The lamps.
    """

    version: Literal[1] = 1
    plate: Strength = 1.0
    material: Material = Material()
    lights: tuple[Lamp, ...] = ()

    @field_validator("lights")
    @classmethod
    def _not_too_many(cls, value: tuple[Lamp, ...]) -> tuple[Lamp, ...]:
        if len(value) > 32:
            raise ValueError(f"{len(value)} lamps are more than 32")
        return value


def read_lights(path: Path) -> Lights:
    """Reads a file of lights.

    Args:
        path: The JSON file.

    Raises:
        InputError: it cannot be read, or says something else, which is named with its place.
    """
    require_file(path)
    try:
        lights = Lights.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise InputError(f"{path}: {_place(error.errors()[0]['loc'])}{_said(error)}.", _HINT) from error
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.", "Check the path.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON: {error}.", _HINT) from error
    if not lights.lights:
        raise InputError(f"{path} has no lamp.", f"Write one or more into its lights; {_HINT}")
    return lights


def parse_lights(words: list[str]) -> Lights:
    """The lights of what a user said: one file, or a lamp a word.

    Args:
        words: ``sun:-1,1,1:0.8``, ``point:0.2,0.1,-0.8``, ``ambient:0.3`` or the name of a ``.json`` file.

    Raises:
        UsageError: a word is none of these, or there is none.
        InputError: a file cannot be read or is wrong.
    """
    files = [word for word in words if word.lower().endswith(".json")]
    if files:
        if len(words) > 1:
            raise UsageError(
                "A file of lights is given beside other lights.", "Write all lamps into the file."
            )
        return read_lights(Path(files[0]))
    if not words:
        raise UsageError("There is no lamp.", _SAID)
    return Lights(lights=tuple(map(_lamp, words)))


def _lamp(word: str) -> Lamp:
    kind, *rest = word.split(":")
    field = {"sun": "direction", "point": "position"}.get(kind)
    values: dict[str, Any] = {"type": kind}
    try:
        if field is not None:
            values[field] = [float(number) for number in rest.pop(0).split(",")]
        if rest:
            values["intensity"] = float(rest.pop(0))
        if rest:
            raise ValueError
        return Lamp.model_validate(values)
    except ValidationError as error:
        place = error.errors()[0]["loc"]
        what = "" if place in ((), ("type",)) else f"its {place[0]}: "
        raise UsageError(f"--light {word} is no lamp: {what}{_said(error)}.", _SAID) from error
    except (ValueError, IndexError) as error:
        raise UsageError(f"--light {word} is no lamp.", _SAID) from error


def _said(error: ValidationError) -> str:
    """The first thing that is wrong, as the end of a sentence."""
    text = error.errors()[0]["msg"].removeprefix("Value error, ")
    return f"{text[:1].lower()}{text[1:]}"


def _place(parts: tuple[int | str, ...]) -> str:
    """``lights 2, keys 1, frame: `` of a place in the file; lists are counted from 1."""
    words: list[str] = []
    for part in parts:
        if isinstance(part, int) and words:
            words[-1] += f" {part + 1}"
        else:
            words.append(str(part))
    return f"{', '.join(words)}: " if words else ""
