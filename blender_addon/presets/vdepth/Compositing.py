# SPDX-License-Identifier: GPL-3.0-or-later
# Steady depth for fog, focus and mattes.
import bpy

settings = bpy.context.scene.vdepth

settings.preset = "balanced"
settings.model = ""
settings.method = "PRESET"
settings.size = 0
settings.boost = False
settings.non_commercial = False
settings.near = 1.0
settings.far = 100.0
settings.lens = "AUTO"
settings.normals = False
