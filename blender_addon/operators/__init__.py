# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators, one file a topic; those that run a process are `live.LiveOperator`."""
