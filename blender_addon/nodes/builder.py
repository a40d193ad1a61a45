# SPDX-License-Identifier: GPL-3.0-or-later
"""Compositor nodes that can be built again: ours carry a key, the user's are not touched."""

from __future__ import annotations

from collections import Counter
from typing import Any

from .. import compat

TAG = "vdepth"
"""Custom property of every node of ours: whose it is and which, ``owner:key``."""
_WIDTH = 270  # of a column: a Render Layers node is 240 wide


class Builder:
    """Makes nodes by key or finds those of last time, so that building twice is building once."""

    def __init__(self, tree: Any, owner: str, frame: Any = None) -> None:
        self.tree, self.owner, self.frame = tree, owner, frame
        self._asked: set[str] = set()
        self._column: Counter[str] = Counter()
        self._rows: Counter[int] = Counter()
        self._top = self._left = 0

    def new_band(self, left: int) -> None:
        """Places what follows in a column or right of it, below everything there so far."""
        self._top += max((rows for column, rows in self._rows.items() if column >= left), default=0)
        self._left = left
        self._rows.clear()

    def find(self, key: str) -> Any | None:
        """Our node of this key, if it is there."""
        return next((node for node in self.tree.nodes if node.get(TAG) == f"{self.owner}:{key}"), None)

    def node(self, key: str, kind: str, *sources: Any, rows: int = 5) -> Any:
        """The node of this key; new ones are placed right of their sources, below the last in the column."""
        self._asked.add(f"{self.owner}:{key}")
        node = self.find(key)
        column = max([self._left, *(self._column[source.node.name] + 1 for source in sources)])
        if node is None:
            node = self.tree.nodes.new(kind)
            node[TAG] = f"{self.owner}:{key}"
            node.name = node.label = key
            node.parent, node.select = self.frame, False
            node.location = (_WIDTH * column, -55 * (self._top + self._rows[column]))
        self._column[node.name] = column
        self._rows[column] += rows
        return node

    def link(self, source: Any, socket: Any) -> None:
        """Connects two sockets."""
        self.tree.links.new(source, socket)

    def math(self, key: str, operation: str, *values: Any, clamp: bool = False) -> Any:
        """A value computed from sockets and numbers."""
        sources = [value for value in values if not isinstance(value, (int, float))]
        node = self.node(key, compat.math_node_id(), *sources, rows=1)
        node.operation, node.use_clamp, node.hide = operation, clamp, True
        for socket, value in zip(node.inputs, values, strict=False):
            if isinstance(value, (int, float)):
                socket.default_value = value
            else:
                self.link(value, socket)
        return node.outputs[0]

    def mix(self, key: str, blend: str, factor: Any, first: Any, second: Any) -> Any:
        """Two colours mixed."""
        sources = [value for value in (factor, first, second) if not isinstance(value, (int, float))]
        node = self.node(key, compat.mix_node_id(), *sources)
        node.blend_type = blend
        inputs, output = compat.mix_sockets(node)
        for socket, value in zip(inputs, (factor, first, second), strict=True):
            if isinstance(value, (int, float)):
                socket.default_value = value
            else:
                self.link(value, socket)
        return output

    def prune(self) -> None:
        """Removes our nodes that were not asked for."""
        for node in list(self.tree.nodes):
            tag = node.get(TAG, "")
            if tag.startswith(f"{self.owner}:") and tag not in self._asked:
                self.tree.nodes.remove(node)
