# SPDX-License-Identifier: GPL-3.0-or-later
"""Groups of `Scene.vdepth`, one file a panel."""
