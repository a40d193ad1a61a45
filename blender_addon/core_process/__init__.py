# SPDX-License-Identifier: GPL-3.0-or-later
"""The core as another process: where it is, how it is installed, how it is run. No bpy in here."""
