"""Optical flow, warping and visibility: how one frame's pixels are found again in another."""
