# SPDX-License-Identifier: GPL-3.0-or-later
"""What is built in a scene from a finished result, and what the scene says of its clips."""
