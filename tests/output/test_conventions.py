"""Every convention means what it says and leads back to z."""

import numpy as np
import pytest

from vdepth_core.errors import UsageError
from vdepth_core.geometry.camera import Intrinsics, unproject
from vdepth_core.output.conventions import CONVENTIONS, Converter

CAMERA = Intrinsics.from_fov(80, 40, 30)


@pytest.fixture
def z():
    z = np.random.default_rng(0).uniform(2, 50, (30, 40)).astype(np.float32)
    z[:5] = 1e10
    return z


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_round_trip(convention, z):
    converter = Converter(convention, CAMERA, 1.5, 60.0)
    values = converter.convert(z)
    assert values.dtype == np.float32
    assert np.isfinite(values).all()
    np.testing.assert_allclose(converter.invert(values)[5:], z[5:], rtol=1e-4)
    assert (values[:5] == converter.sky).all()


def test_meanings(z):
    ray = Converter("ray", CAMERA, 1, 60).convert(z)
    np.testing.assert_allclose(ray[5:], np.linalg.norm(unproject(z, CAMERA), axis=2)[5:], rtol=1e-5)
    assert (ray[5:] >= z[5:]).all()
    np.testing.assert_allclose(Converter("inverse-z", CAMERA, 1, 60).convert(z)[5:], 1 / z[5:], rtol=1e-6)
    white = Converter("white-near", CAMERA, 2.0, 50.0)
    np.testing.assert_allclose(
        white.convert(np.float32([[2, 50, 1, 99, 1e10]])), [[1, 0, 1, 0, 0]], atol=1e-6
    )
    order = np.argsort(white.convert(z)[5:].ravel())
    assert (np.diff(z[5:].ravel()[order]) <= 1e-3).all()


def test_what_is_farther_than_half_the_sky_has_no_depth():
    z = np.float32([[4.9e9, 5e9, 1e10]])
    for convention in ("inverse-z", "white-near"):
        converter = Converter(convention, CAMERA, 1, 1e10)
        assert (converter.convert(z) > 0).tolist() == [[True, False, False]]
        assert converter.sky == 0
    ray = Converter("ray", Intrinsics(1e6, 1e6, 1.5, 0.5), 1, 60)
    assert ray.convert(z).tolist() == [[np.float32(4.9e9), 1e10, 1e10]]
    assert ray.invert(z).tolist() == [[np.float32(4.9e9), 1e10, 1e10]]
    assert ray.sky == Converter("z", CAMERA, 1, 60).sky == 1e10
    assert Converter("inverse-z", CAMERA, 1, 60).invert(np.float32([[0, 0.5]])).tolist() == [[1e10, 2]]


def test_unknown_conventions_name_the_known_ones():
    with pytest.raises(UsageError, match="white-near"):
        Converter("zbuffer", CAMERA, 1, 2)
