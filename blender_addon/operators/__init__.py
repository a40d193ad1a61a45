# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators, one file a topic; `execute` is the complete synchronous path, `modal` the same, live."""
