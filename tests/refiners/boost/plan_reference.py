"""The published search and tile selection, literally and slowly: what the fast ones are compared with."""

import math

import cv2
import numpy as np


def gradients(rgb):
    gray = np.dot(rgb, [0.2989, 0.5870, 0.1140])
    return np.abs(cv2.Sobel(gray, cv2.CV_64F, 0, 1, ksize=3)) + np.abs(
        cv2.Sobel(gray, cv2.CV_64F, 1, 0, ksize=3)
    )


def receptive_resolution(rgb, base, share):
    kept, edges = base / 32, None
    for p in range(base // 32, int(min(3000, 3 * max(rgb.shape[:2])) / 32), int(base / 64)):
        d = min(rgb.shape[:2])
        g = cv2.resize(gradients(rgb), (d, d), interpolation=cv2.INTER_LINEAR)
        strong = np.where(g >= g.min() + 0.4 * (g.max() - g.min()), 1.0, 0.0)
        n = max(math.floor(d / p), 1)
        blocks = math.ceil(d / n)
        padded = np.zeros((blocks * n, blocks * n))
        padded[:d, :d] = strong
        pooled = np.array(
            [
                [padded[i * n : (i + 1) * n, j * n : (j + 1) * n].max() for j in range(blocks)]
                for i in range(blocks)
            ]
        )
        edges = (cv2.resize(pooled, (p, p), interpolation=cv2.INTER_LINEAR) >= 0.5).astype(np.float64)
        seen = cv2.dilate(edges, np.ones((base // 32, base // 32)))
        if (1 - seen).mean() > share:
            break
        kept = p
    return int(32 * kept), cv2.dilate(edges, np.ones((3, 3))).mean()


def patches(rgb, base, whole, density, max_size):
    """((height, width), rectangles [x, y, w, h]) of the working picture."""
    height, width = rgb.shape[:2]
    f = max(min(1, 4 * density * whole / 3000), 0.2)
    if height > width:
        sides = 2 * whole, round(2 * whole * width / height)
    else:
        sides = round(2 * whole * height / width), 2 * whole
    sides = tuple(round(side / f) for side in sides)
    if max(sides) > max_size:
        if height > width:
            sides = int(max_size), round(max_size * width / height)
        else:
            sides = round(max_size * height / width), int(max_size)
    big = cv2.resize(rgb, sides[::-1], interpolation=cv2.INTER_CUBIC)
    g = gradients(big)
    g[g < g[g > 0].mean()] = 0
    gf, sums, t = g.mean(), cv2.integral(g), int(32 / f)

    def density_of(x, y, w, h):
        return (sums[y + h, x + w] - sums[y, x + w] - sums[y + h, x] + sums[y, x]) / (w * h)

    rects = []
    for x in range(base, sides[1] - base, round(0.75 * base)):
        for y in range(base, sides[0] - base, round(0.75 * base)):
            rect = [x - base, y - base, 2 * base, 2 * base]
            if density_of(*rect) < gf:
                continue
            while True:
                x0, y0, w, h = rect[0] - int(t / 2), rect[1] - int(t / 2), rect[2] + t, rect[3] + t
                if x0 < 0 or y0 < 0 or y0 + h >= sums.shape[0] or x0 + w >= sums.shape[1]:
                    break
                if density_of(x0, y0, w, h) < gf:
                    break
                rect = [x0, y0, w, h]
            rects.append(rect)
    return sides, sorted(rects, key=lambda rect: rect[2], reverse=True)
