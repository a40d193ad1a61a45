# SPDX-License-Identifier: GPL-3.0-or-later
"""A finished result: manifest, journal, paths, files, and numbers worked out from them. No bpy in here."""
