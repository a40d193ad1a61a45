# SPDX-License-Identifier: GPL-3.0-or-later
"""Node trees written as formulas: fields with arithmetic, and nodes laid out in columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

COLUMN, ROW, GAP = 220, 38, 30


class Field:
    """An output of a node that adds, multiplies and compares (to 0 or 1) as a number would."""

    def __init__(self, graph: Graph, socket: Any) -> None:
        self.graph, self.socket = graph, socket

    def __add__(self, other: Any) -> Field:
        return self.graph.math("ADD", self, other)

    def __sub__(self, other: Any) -> Field:
        return self.graph.math("SUBTRACT", self, other)

    def __mul__(self, other: Any) -> Field:
        return self.graph.math("MULTIPLY", self, other)

    def __truediv__(self, other: Any) -> Field:
        return self.graph.math("DIVIDE", self, other)

    def __gt__(self, other: Any) -> Field:
        return self.graph.math("GREATER_THAN", self, other)

    def __lt__(self, other: Any) -> Field:
        return self.graph.math("LESS_THAN", self, other)

    def __neg__(self) -> Field:
        return self.graph.math("MULTIPLY", self, -1.0)

    def __rsub__(self, other: float) -> Field:
        return self.graph.math("SUBTRACT", other, self)

    def __rtruediv__(self, other: float) -> Field:
        return self.graph.math("DIVIDE", other, self)

    def __and__(self, other: Field) -> Field:
        return self.graph.math("MULTIPLY", self, other)

    def __or__(self, other: Field) -> Field:
        return self.graph.math("MAXIMUM", self, other)

    __radd__, __rmul__ = __add__, __mul__


class Graph:
    """Adds nodes to a geometry-nodes tree. Where it takes a value, a `Field` is linked and a number set.

    A formula that is written twice is one node: Blender goes through the whole tree for every node and link.
    """

    def __init__(self, tree: Any) -> None:
        self.tree = tree
        self._known: dict[tuple[Any, ...], Any] = {}
        self._inputs = tree.nodes.new("NodeGroupInput")

    def input(self, name: str) -> Field:
        """An input of the group."""
        return Field(self, self._inputs.outputs[name])

    def node(self, kind: str, values: Mapping[str | int, Any] | None = None, **properties: Any) -> Any:
        """A node with its properties and, by their names or places, its inputs set."""
        node = self.tree.nodes.new(kind)
        for name, value in properties.items():
            if getattr(node, name) != value:  # else Blender would go through the whole tree for nothing
                setattr(node, name, value)
        for key, value in (values or {}).items():
            named = (s for s in node.inputs if s.name == key and s.enabled)
            self.set(node.inputs[key] if isinstance(key, int) else next(named), value)
        return node

    def field(
        self, kind: str, values: Mapping[str | int, Any] | None = None, /, output: int | str = 0, **props: Any
    ) -> Field:
        """A node's output, as `node` makes it."""
        return Field(self, self._once(kind, values, props).outputs[output])

    def _once(self, kind: str, values: Mapping[str | int, Any] | None, props: dict[str, Any]) -> Any:
        """The node of a formula: there already, or new."""
        words = [(key, _name(value)) for key, value in (values or {}).items()]
        key = (kind, *words, *props.items())
        if key not in self._known:
            self._known[key] = self.node(kind, values, **props)
        return self._known[key]

    def set(self, socket: Any, value: Any) -> None:
        """Links or sets an input; None leaves it."""
        if isinstance(value, Field):
            self.tree.links.new(value.socket, socket)
        elif value is not None:
            socket.default_value = value

    def math(self, operation: str, *values: Any) -> Field:
        """A Math node."""
        return self.field("ShaderNodeMath", dict(enumerate(values)), operation=operation)

    def minimum(self, a: Any, b: Any) -> Field:
        return self.math("MINIMUM", a, b)

    def maximum(self, a: Any, b: Any) -> Field:
        return self.math("MAXIMUM", a, b)

    def clamp(self, value: Any, low: Any, high: Any) -> Field:
        return self.maximum(self.minimum(value, high), low)

    def logic_not(self, value: Field, domain: str) -> Field:
        """Whether a condition fails, the condition itself being worked out on a domain."""
        settled = self.on_domain(value, domain, "BOOLEAN")
        return self.field("FunctionNodeBooleanMath", {"Boolean": settled}, operation="NOT")

    def switch(self, kind: str, condition: Field, no: Any, yes: Any) -> Field:
        """One of two values."""
        return self.field(
            "GeometryNodeSwitch", {"Switch": condition, "False": no, "True": yes}, input_type=kind
        )

    def vector(self, x: Any, y: Any, z: Any = 0.0) -> Field:
        """A vector of its components."""
        return self.field("ShaderNodeCombineXYZ", {"X": x, "Y": y, "Z": z})

    def components(self, vector: Field) -> tuple[Field, Field, Field]:
        """A vector's components."""
        node = self._once("ShaderNodeSeparateXYZ", {"Vector": vector}, {})
        return Field(self, node.outputs[0]), Field(self, node.outputs[1]), Field(self, node.outputs[2])

    def vector_math(self, operation: str, *values: Any, output: str = "Vector") -> Field:
        """A Vector Math node."""
        node = self.node("ShaderNodeVectorMath", operation=operation)
        for socket, value in zip((s for s in node.inputs if s.enabled), values, strict=True):
            self.set(socket, value)
        return Field(self, node.outputs[output])

    def attribute(self, name: str, kind: str = "FLOAT") -> Field:
        """A named attribute of the geometry it is read on."""
        return self.field("GeometryNodeInputNamedAttribute", {"Name": name}, data_type=kind)

    def at_index(self, value: Field, index: Any, kind: str = "FLOAT") -> Field:
        """A field's value at another vertex."""
        return self.field("GeometryNodeFieldAtIndex", {"Value": value, "Index": index}, data_type=kind)

    def on_domain(self, value: Field, domain: str, kind: str = "FLOAT") -> Field:
        """A field worked out on a domain, and brought to where it is read."""
        return self.field("GeometryNodeFieldOnDomain", {"Value": value}, domain=domain, data_type=kind)

    def sampled(self, geometry: Field, value: Field, index: Field, kind: str = "FLOAT") -> Field:
        """A field's value at a vertex of another geometry."""
        values: dict[str | int, Any] = {"Geometry": geometry, "Value": value, "Index": index}
        return self.field("GeometryNodeSampleIndex", values, data_type=kind, domain="POINT")

    def delete(self, geometry: Field, selection: Field, domain: str, mode: str = "ALL") -> Field:
        """The geometry without what is selected."""
        values: dict[str | int, Any] = {"Geometry": geometry, "Selection": selection}
        return self.field("GeometryNodeDeleteGeometry", values, domain=domain, mode=mode)

    def join(self, *geometries: Field) -> Field:
        """All of them as one."""
        node = self.node("GeometryNodeJoinGeometry")
        for geometry in geometries:
            self.tree.links.new(geometry.socket, node.inputs[0])
        return Field(self, node.outputs[0])

    def store(
        self, geometry: Field, name: str, value: Field, kind: str = "FLOAT", domain: str = "POINT"
    ) -> Field:
        """The geometry with a named attribute."""
        values: dict[str | int, Any] = {"Geometry": geometry, "Name": name, "Value": value}
        return self.field("GeometryNodeStoreNamedAttribute", values, data_type=kind, domain=domain)

    def repeat(self, times: int | Field, geometry: Field, step: Callable[[Field, Field], Field]) -> Field:
        """A geometry after a step, given the geometry and a count from 0, was taken so many times."""
        start, end = (self.node(f"GeometryNodeRepeat{side}") for side in ("Input", "Output"))
        start.pair_with_output(end)
        end.repeat_items.new("FLOAT", "Count")
        self.set(start.inputs["Iterations"], times)
        self.set(start.inputs["Geometry"], geometry)
        count = Field(self, start.outputs["Count"])
        self.set(end.inputs["Geometry"], step(Field(self, start.outputs["Geometry"]), count))
        self.set(end.inputs["Count"], count + 1)
        return Field(self, end.outputs["Geometry"])


def _name(value: Any) -> Any:
    """What tells a value from others: a number, or whose output a field is."""
    return (value.socket.node.name, value.socket.identifier) if isinstance(value, Field) else value


def arrange(tree: Any) -> None:
    """Lays the nodes out in columns, each as far right as what it feeds allows."""
    feeds: dict[Any, list[Any]] = {node: [] for node in tree.nodes}
    for link in tree.links:
        feeds[link.from_node].append(link.to_node)
    columns: dict[Any, int] = {}

    def column(node: Any) -> int:
        if node not in columns:
            columns[node] = 1 + max((column(other) for other in feeds[node]), default=-1)
        return columns[node]

    heights: dict[int, float] = {}
    places: list[float] = []
    for node in tree.nodes:
        place = column(node)
        places += (-place * COLUMN, -heights.get(place, 0.0))
        sockets = sum(s.enabled for s in (*node.inputs, *node.outputs))
        heights[place] = heights.get(place, 0.0) + ROW + sockets * 22 + GAP
    # One by one, Blender would go through the whole tree for each.
    tree.nodes.foreach_set("location", places)
