# SPDX-License-Identifier: GPL-3.0-or-later
"""Node trees: the mesh's geometry nodes, the compositor's group, the footage's material."""
