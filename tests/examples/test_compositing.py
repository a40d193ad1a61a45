"""The snippets for Nuke and Fusion: read by a small parser, wired as they say, expressions computed.

Neither program can be had here, so what a node does is written down below in a line each.
"""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch

from vdepth_core.views.lighting.lights import Material
from vdepth_core.views.lighting.shading import Surfaces, shaded

FOLDER = Path(__file__).parents[2] / "examples" / "compositing"
DOC = Path(__file__).parents[2] / "docs" / "compositing.md"
RNG = np.random.default_rng(0)
SHAPE = (5, 7)
FUNCTIONS = {"exp": np.exp, "max": np.maximum, "where": np.where}


def image(channels="rgb", low=0.0, high=1.0):
    return {name: RNG.uniform(low, high, SHAPE) for name in channels.split()}


def parsed_nk(text):
    """Nodes in order: class, knobs, and inputs by Nuke's stack."""
    nodes, stack = [], []
    for kind, body in re.findall(r"^(\w+) \{\n(.*?)^\}\n", text, re.MULTILINE | re.DOTALL):
        knobs = {}
        for line in body.splitlines():
            assert line.startswith(" "), line
            name, value = line.strip().split(" ", 1)
            knobs[name] = value if value.startswith("{") else " ".join(shlex.split(value))
        count = int(knobs.pop("inputs", 1))
        assert len(stack) >= count, f"{kind} has not all its inputs"
        node = (kind, knobs, [stack.pop() for _ in range(count)])
        nodes.append(node)
        stack.append(node)
    left = re.sub(r"^\w+ \{\n.*?^\}\n|^#.*\n", "", text, flags=re.MULTILINE | re.DOTALL)
    assert left == ""
    assert len(stack) == 1, "something is left unwired"
    return nodes


def nuke(text, names):
    """The value of a Nuke expression."""
    if " ? " in text:
        condition, rest = text.split(" ? ", 1)
        yes, no = rest.split(" : ", 1)
        parts = [nuke(part, names) for part in condition.split(" && ")]
        return np.where(np.logical_and.reduce(parts), nuke(yes, names), nuke(no, names))
    text = text.replace("depth.Z", "depth_Z")
    return eval(text, {"__builtins__": {}}, {**FUNCTIONS, **names})


def run_nk(node, images):
    kind, knobs, inputs = node
    if kind == "Read":
        return images[knobs["name"]]
    sources = [run_nk(source, images) for source in inputs]
    if kind == "Copy":
        return {**sources[0], knobs["to0"]: sources[1][knobs["from0"]]}
    if kind == "Merge2":
        assert knobs["operation"] == "multiply"
        return {name: sources[0][name] * sources[1][name] for name in "rgb"}
    assert kind in ("Expression", "MergeExpression")
    prefixes = [""] if kind == "Expression" else ["B", "A"]
    names = {
        prefix + name.replace(".", "_"): value
        for prefix, source in zip(prefixes, sources, strict=True)
        for name, value in source.items()
    }
    names[knobs["temp_name0"]] = nuke(knobs["temp_expr0"], names)
    return {name: nuke(knobs[f"expr{place}"], names) for place, name in enumerate("rgb")}


def parsed_setting(text):
    """A Fusion setting as nested dictionaries; constructors and ``ordered()`` are left out."""
    tokens = re.findall(r'"[^"]*"|[{}\[\]=,()]|[\w.+-]+', text)
    place = 0

    def value():
        nonlocal place
        while (tokens[place] != "{" and tokens[place + 1] in ("{", "(")) or tokens[place] in ("(", ")"):
            place += 1
        if tokens[place] != "{":
            place += 1
            return tokens[place - 1].strip('"')
        place += 1
        found, count = {}, 0
        while tokens[place] != "}":
            if tokens[place] == "[":
                key = tokens[place + 1].strip('"')
                assert tokens[place + 2 : place + 4] == ["]", "="]
                place += 4
            elif tokens[place + 1] == "=":
                key = tokens[place]
                place += 2
            else:
                key, count = count, count + 1
            found[key] = value()
            if tokens[place] == ",":
                place += 1
        place += 1
        return found

    found = value()
    assert place == len(tokens)
    return found["Tools"]


def run_setting(tools, name, images):
    inputs = tools[name]["Inputs"]
    if name in images:
        return images[name]
    names = {}
    for key, entry in inputs.items():
        if key.startswith("Image"):
            source = run_setting(tools, entry["SourceOp"], images)
            names |= {channel + key[5:]: pixels for channel, pixels in source.items()}
        elif key.startswith("NumberIn"):
            names[f"n{key[8:]}"] = float(entry["Value"])
    made = {}
    for channel in ("Red", "Green", "Blue"):
        text = inputs[f"{channel}Expression"]["Value"].replace("if(", "where(")
        made[channel[0].lower()] = eval(text, {"__builtins__": {}}, {**FUNCTIONS, **names})
    return made


def both(stem, images, last):
    """What the two programs make of it, as far as there is a snippet for each."""
    yield run_nk(parsed_nk((FOLDER / f"{stem}.nk").read_text())[-1], images[0])
    yield run_setting(parsed_setting((FOLDER / f"{stem}.setting").read_text()), last, images[1])


def grey(z):
    return dict.fromkeys("rgb", z)


def test_fog():
    plate, z = image("r g b"), RNG.uniform(1, 100, SHAPE)
    images = {"Plate": plate, "Depth": {"depth.Z": z}}, {"Plate": plate, "Depth": grey(z)}
    for found in both("fog", images, "Fog"):
        for name, colour in zip("rgb", (0.62, 0.68, 0.75), strict=True):
            keep = np.exp(-z / 20)
            np.testing.assert_allclose(found[name], plate[name] * keep + colour * (1 - keep))


def test_what_is_nearer_is_in_front():
    plate, z = image("r g b"), RNG.uniform(1, 10, SHAPE)
    alpha, own = RNG.uniform(0, 1, SHAPE) * (RNG.uniform(size=SHAPE) > 0.3), RNG.uniform(1, 10, SHAPE)
    render = {name: RNG.uniform(0, 1, SHAPE) * alpha for name in "rgb"} | {"a": alpha}
    images = (
        {"Plate": plate, "Depth": {"depth.Z": z}, "Render": {**render, "depth.Z": own}},
        {"Plate": plate, "Depth": grey(z), "Render": render, "RenderDepth": grey(own)},
    )
    for found in both("z_merge", images, "ZMerge"):
        for name in "rgb":
            over = render[name] + plate[name] * (1 - alpha)
            np.testing.assert_allclose(found[name], np.where(own < z, over, plate[name]))


def test_a_lamp_by_the_normals_is_vdepths_own():
    plate = image("r g b")
    normals = RNG.normal(size=(3, *SHAPE))
    normals /= np.linalg.norm(normals, axis=0)
    channels = dict(zip("rgb", normals, strict=True))
    direction = np.array((0.4, 0.5, 0.7681))
    surfaces = Surfaces(
        torch.ones(3, *SHAPE),
        torch.from_numpy(normals),
        torch.ones(SHAPE, dtype=torch.bool),
        1.0,
        (1, 1, 0, 0),
    )
    light = 1 + 0.8 * shaded(surfaces, torch.from_numpy(direction)[:, None, None], Material()).numpy()
    assert np.linalg.norm(direction) == pytest.approx(1, abs=1e-4)
    images = {"Plate": plate, "Normals": channels}, {"Plate": plate, "Normals": channels}
    for found in both("relight_normals", images, "Relight"):
        for name in "rgb":
            np.testing.assert_allclose(found[name], plate[name] * light)


def test_the_lighting_pass_multiplies():
    plate, light = image("r g b"), image("r g b", 0, 3)
    found = run_nk(parsed_nk((FOLDER / "lighting_pass.nk").read_text())[-1], {"Plate": plate, "Light": light})
    np.testing.assert_allclose(found["g"], plate["g"] * light["g"])


def test_depth_of_field_reads_a_distance():
    *_, (kind, knobs, inputs) = parsed_nk((FOLDER / "depth_of_field.nk").read_text())
    assert (kind, knobs["math"]) == ("ZDefocus2", "depth")
    assert inputs[0][1]["to0"] == "depth.Z"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.setting")), ids=lambda path: path.stem)
def test_every_tool_of_a_setting_is_wired_to_one_that_is_there(path):
    tools = parsed_setting(path.read_text())
    for tool in tools.values():
        for entry in tool["Inputs"].values():
            assert entry.get("SourceOp", "Plate") in tools
    for loader in (tool for tool in tools.values() if "Clips" in tool):
        assert loader["Clips"][0]["Filename"].endswith((".1001.exr", ".1001.png"))


def test_the_page_names_every_snippet():
    text = DOC.read_text()
    for path in FOLDER.iterdir():
        assert f"`{path.name}`" in text
