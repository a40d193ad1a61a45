"""Slow, readable references of the self-supervised losses: one pixel at a time, scalars, no batches.

Written from the formulas and not from `vdepth_core.learning.losses`; torch only so that autograd gives the
gradients to compare with.
"""

import math

import torch

F64 = torch.float64


def camera(fx, fy, cx, cy):
    return torch.tensor([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], dtype=F64)


def bilinear(picture, x, y, padding):
    """(C, H, W) at (x, y), in indices of pixel centres."""
    _, height, width = picture.shape
    if padding == "border":
        x, y = x.clamp(0, width - 1), y.clamp(0, height - 1)
    left, top = math.floor(float(x.detach())), math.floor(float(y.detach()))
    total = picture.new_zeros(len(picture))
    for j, wy in ((top, top + 1 - y), (top + 1, y - top)):
        for i, wx in ((left, left + 1 - x), (left + 1, x - left)):
            if 0 <= i < width and 0 <= j < height:
                total = total + wx * wy * picture[:, j, i]
    return total


def warp(source, depth, K, pose, padding, near=None, epsilon=0.0, align_corners=True):
    """(C, H, W) of one picture, and (H, W) bool: looked up between the outermost centres."""
    _, height, width = source.shape
    fx, fy, cx, cy = K[0, 0], K[1, 1], K[0, 2], K[1, 2]
    rows, inside = [], torch.zeros(height, width, dtype=torch.bool)
    for v in range(height):
        row = []
        for u in range(width):
            d = depth[v, u]
            point = (d * (u - cx) / fx, d * (v - cy) / fy, d)
            X, Y, Z = (sum(pose[i, j] * point[j] for j in range(3)) + pose[i, 3] for i in range(3))
            below = (Z if near is None else Z.clamp(min=near)) + epsilon
            x, y = (fx * X + cx * Z) / below, (fy * Y + cy * Z) / below
            inside[v, u] = 0 <= x <= width - 1 and 0 <= y <= height - 1 and (near is not None or Z > 0)
            if not align_corners:  # −1 and 1 are the outer edges, half a pixel outside the centres
                x, y = x / (width - 1) * width - 0.5, y / (height - 1) * height - 0.5
            row.append(bilinear(source, x, y, padding))
        rows.append(torch.stack(row, -1))
    return torch.stack(rows, -2), inside


def ssim_distance(a, b):
    """(H, W) maps of one channel -> (H, W)."""
    height, width = a.shape

    def mirrored(k, size):
        return -k if k < 0 else 2 * (size - 1) - k if k >= size else k

    around = [
        ([mirrored(y + j, height) for y in range(height)], [mirrored(x + i, width) for x in range(width)])
        for j in (-1, 0, 1)
        for i in (-1, 0, 1)
    ]
    p, q = (torch.stack([maps[rows][:, columns] for rows, columns in around]) for maps in (a, b))
    mp, mq = p.mean(0), q.mean(0)
    vp, vq, cov = ((p - mp) ** 2).mean(0), ((q - mq) ** 2).mean(0), ((p - mp) * (q - mq)).mean(0)
    ssim = (2 * mp * mq + 1e-4) * (2 * cov + 9e-4) / ((mp**2 + mq**2 + 1e-4) * (vp + vq + 9e-4))
    return ((1 - ssim) / 2).clamp(0, 1)


def error(a, b, ssim=0.85, charbonnier=False):
    """(C, H, W) pictures -> (H, W)."""
    gaps = [((p - q) ** 2 + 1e-6).sqrt() if charbonnier else (p - q).abs() for p, q in zip(a, b, strict=True)]
    plain = sum(gaps) / len(gaps)
    if not ssim:
        return plain
    return ssim * sum(ssim_distance(p, q) for p, q in zip(a, b, strict=True)) / len(a) + (1 - ssim) * plain


STEPS = {"x": (0, 1), "y": (1, 0)}


def derivative(maps, order):
    """(H, W) -> dict of pixel -> value, for an order such as "x" or "xy" (x first)."""
    values = {(y, x): maps[y, x] for y in range(maps.shape[0]) for x in range(maps.shape[1])}
    for axis in order:
        dy, dx = STEPS[axis]
        values = {
            (y, x): values[y + dy, x + dx] - v for (y, x), v in values.items() if (y + dy, x + dx) in values
        }
    return values


def roughness(maps, picture, orders, sharpness=1.0):
    """Sum over orders of the mean over (C, H, W) of |∂d| · e^{−k · mean_c |∂I|}."""
    total = maps.new_zeros(())
    for order in orders:
        edges = [] if picture is None else [derivative(channel, order) for channel in picture]
        terms = []
        for channel in maps:
            for at, value in derivative(channel, order).items():
                edge = sum(e[at].abs() for e in edges) / len(edges) if edges else maps.new_zeros(())
                terms.append(value.abs() * torch.exp(-sharpness * edge))
        total = total + sum(terms) / len(terms)
    return total


FIRST, SECOND = ("x", "y"), ("xx", "xy", "yx", "yy")


def resized(maps, height, width):
    """(C, H, W) bilinear as if pixels were areas (align_corners False), the border repeated."""
    _, h, w = maps.shape
    y = [torch.tensor((j + 0.5) * h / height - 0.5, dtype=F64) for j in range(height)]
    x = [torch.tensor((i + 0.5) * w / width - 0.5, dtype=F64) for i in range(width)]
    return torch.stack([torch.stack([bilinear(maps, i, j, "border") for i in x], -1) for j in y], -2)


def corner_resized(maps, height, width):
    """(C, H, W) bilinear with the corner pixels' centres on each other (align_corners True)."""
    _, h, w = maps.shape
    y = [torch.tensor(j * (h - 1) / max(height - 1, 1), dtype=F64) for j in range(height)]
    x = [torch.tensor(i * (w - 1) / max(width - 1, 1), dtype=F64) for i in range(width)]
    return torch.stack([torch.stack([bilinear(maps, i, j, "border") for i in x], -1) for j in y], -2)


def averaged(maps, factor):
    """(C, H, W) -> means of ``factor``² pixels."""
    _, h, w = maps.shape
    cells = [
        [maps[:, j : j + factor, i : i + factor].reshape(len(maps), -1).mean(1) for i in range(0, w, factor)]
        for j in range(0, h, factor)
    ]
    return torch.stack([torch.stack(row, -1) for row in cells], -2)


def same(ours, theirs, *inputs, tolerance=1e-12):
    """Values agree, and so do the gradients by every input, whose random sums they are if not scalar."""
    torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)
    weights = torch.randn(ours.shape, generator=torch.Generator().manual_seed(9), dtype=ours.dtype)
    found = torch.autograd.grad((ours * weights).sum(), inputs, retain_graph=True)
    wanted = torch.autograd.grad((theirs * weights).sum(), inputs, retain_graph=True)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=tolerance * 10)


def random(*shape, seed=0, low=0.0, high=1.0, grad=True):
    drawn = torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=F64)
    return (low + (high - low) * drawn).requires_grad_(grad)


def least(warped, still, minimum, mask=None):
    """Lists of (H, W) errors -> the mean over pixels of what is left of them."""
    if mask is not None:
        warped = [e * m for e, m in zip(warped, mask, strict=True)]
    if not minimum:
        warped, still = [sum(warped) / len(warped)], [sum(still) / len(still)] if still else []
    every = list(zip(*[e.flatten() for e in (*still, *warped)], strict=True))
    return sum(min(pixel, key=lambda e: float(e.detach())) for pixel in every) / len(every)


def pinhole(vector):
    """[translation, euler] -> (4, 4), written out."""
    tx, ty, tz, rx, ry, rz = vector
    (cx, sx), (cy, sy), (cz, sz) = ((a.cos(), a.sin()) for a in (rx, ry, rz))
    one, no = torch.ones_like(tx), torch.zeros_like(tx)
    rows = (
        (cy * cz, -cy * sz, sy, tx),
        (cx * sz + sx * sy * cz, cx * cz - sx * sy * sz, -sx * cy, ty),
        (sx * sz - cx * sy * cz, sx * cz + cx * sy * sz, cx * cy, tz),
        (no, no, no, one),
    )
    return torch.stack([torch.stack(row) for row in rows])


class Shot:
    """A target, two sources and a camera; 6x8 pixels, disparities of two scales, everything random."""

    def __init__(self):
        self.target = random(1, 3, 6, 8)
        self.sources = [random(1, 3, 6, 8, seed=1), random(1, 3, 6, 8, seed=2)]
        self.K = camera(7.0, 6.5, 3.6, 2.4)
        vectors = torch.tensor([[0.1, -0.05, 0.1, 0.05, -0.1, 0.1], [-0.1, 0.02, -0.12, 0.0, 0.04, -0.1]])
        self.poses = [pinhole(vector)[None].requires_grad_() for vector in vectors.double()]
        self.disparities = [
            random(1, 1, 6, 8, seed=3, low=0.03, high=0.2),
            random(1, 1, 3, 4, seed=4, low=0.03, high=0.2),
        ]
        self.inputs = (*self.disparities, *self.poses, *self.sources)
