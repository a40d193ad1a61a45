# SPDX-License-Identifier: GPL-3.0-or-later
# The best model, with normals, in the range of a room or a street.
import bpy

settings = bpy.context.scene.vdepth

settings.preset = "best"
settings.model = ""
settings.method = "PRESET"
settings.size = 0
settings.boost = False
settings.non_commercial = False
settings.near = 1.0
settings.far = 30.0
settings.lens = "AUTO"
settings.normals = True
