"""Cameras, unprojection, normals, warping and meshes."""
