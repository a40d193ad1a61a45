"""RGB primaries: FFmpeg's words for them, and the matrices from one set to Rec. 709's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

REC709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)
# ITU-T H.273, table 2: FFmpeg's word and the x, y of red, green, blue and white.
PRIMARIES = {
    1: ("bt709", REC709),
    4: ("bt470m", (0.67, 0.33, 0.21, 0.71, 0.14, 0.08, 0.310, 0.316)),
    5: ("bt470bg", (0.64, 0.33, 0.29, 0.60, 0.15, 0.06, 0.3127, 0.3290)),
    6: ("smpte170m", (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, 0.3127, 0.3290)),
    7: ("smpte240m", (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, 0.3127, 0.3290)),
    8: ("film", (0.681, 0.319, 0.243, 0.692, 0.145, 0.049, 0.310, 0.316)),
    9: ("bt2020", (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290)),
    11: ("smpte431", (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351)),
    12: ("smpte432", (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290)),
    22: ("ebu3213", (0.630, 0.340, 0.295, 0.605, 0.155, 0.077, 0.3127, 0.3290)),
}
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def to_rec709(chromaticities: Sequence[float] | np.ndarray | None) -> np.ndarray | None:
    """Matrix (3, 3) float32 from linear RGB of these primaries to Rec. 709's, adapted to its white by
    Bradford.

    Args:
        chromaticities: x, y of red, green, blue and white.

    Returns:
        None where the two are the same or the numbers are no primaries.
    """
    if chromaticities is None or len(chromaticities) != 8:
        return None
    values = tuple(float(value) for value in chromaticities)
    if not np.isfinite(values).all() or not all(values[1::2]):
        return None
    if np.allclose(values, REC709, atol=2e-3):
        return None
    try:
        source, target = _rgb_to_xyz(values), _rgb_to_xyz(REC709)
    except np.linalg.LinAlgError:
        return None
    white, wanted = _BRADFORD @ source.sum(1), _BRADFORD @ target.sum(1)
    adapt = np.linalg.inv(_BRADFORD) @ np.diag(wanted / white) @ _BRADFORD
    matrix: np.ndarray = (np.linalg.inv(target) @ adapt @ source).astype(np.float32)
    return matrix


def _rgb_to_xyz(chromaticities: tuple[float, ...]) -> np.ndarray:
    """SMPTE RP 177: columns are the primaries' XYZ, scaled so that their sum is the white with Y = 1."""
    points = np.array(chromaticities).reshape(4, 2)
    xyz = np.column_stack([points[:, 0], points[:, 1], 1 - points.sum(1)]).T / points[:, 1]
    columns: np.ndarray = xyz[:, :3] * np.linalg.solve(xyz[:, :3], xyz[:, 3])
    return columns
