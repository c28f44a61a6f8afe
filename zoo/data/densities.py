"""The two-dimensional densities that papers on flows draw, as samplers with labels."""

from collections.abc import Callable

import numpy as np

Points = tuple[np.ndarray, np.ndarray]  # Points, float64 [count, 2], and labels, int64 [count].

SIZES = {'train': 50_000, 'validation': 5_000, 'test': 10_000}


def draw(name: str, count: int, seed: int) -> Points:
    """Returns `count` points, float64 [count, 2], and their labels, int64 [count].

    Args:
        name: One of `NAMES`; see the function of that name.
        count: The number of points.
        seed: The same seed gives the same points.
    """
    return _DENSITIES[name][0](count, np.random.default_rng(seed))


def classes(name: str) -> int:
    """Returns the number of parts of the density `name`; a label is the number of a part."""
    return _DENSITIES[name][1]


def checkerboard(count: int, generator: np.random.Generator) -> Points:
    """Draws uniformly from the 8 dark squares of a centred board of 4 x 4 squares of side 1.

        x in [-2, 2)^2 with floor(x1) + floor(x2) even

    so that the entropy is log 8 nats. The label is the number of the square, column after column.
    """
    square = generator.integers(8, size=count)
    column = square // 2
    row = square % 2 * 2 + column % 2
    corner = np.stack([column, row], axis=1) - 2.
    return corner + generator.random([count, 2]), square


def moons(count: int, generator: np.random.Generator) -> Points:
    """Draws from two half circles that reach into each other, with Gaussian noise.

        x = (cos t, sin t) + .1 n               or, of the other moon,
        x = (1 - cos t, 1/2 - sin t) + .1 n,    t ~ U[0, pi),  n ~ N(0, I)

    This is scikit-learn's `make_moons(noise=.1)`, except that t is drawn rather than spaced evenly.
    The label is the number of the moon.
    """
    moon = generator.integers(2, size=count)
    angle = np.pi * generator.random(count)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    centre = np.where(moon[:, np.newaxis], upper * -1 + [1., .5], upper)
    return centre + .1 * generator.standard_normal([count, 2]), moon


def pinwheel(count: int, generator: np.random.Generator) -> Points:
    """Draws from five Gaussian arms; an arm is bent more where it is farther out.

        (r, s) = (1 + .3 n1, .1 n2),    n ~ N(0, I)
        x = 2 R(2 pi k / 5 + exp(r) / 4) (r, s),    R(a) the rotation by a

    This follows Johnson et al., 2016, arXiv:1603.06277. The label is the arm k, of 0 .. 4.
    """
    arm = generator.integers(5, size=count)
    radial, tangential = (generator.standard_normal([count, 2]) * [.3, .1] + [1., 0.]).T
    angle = 2 * np.pi * arm / 5 + np.exp(radial) / 4
    cos, sin = np.cos(angle), np.sin(angle)
    points = np.stack([cos * radial - sin * tangential, sin * radial + cos * tangential], axis=1)
    return 2 * points, arm


def rings(count: int, generator: np.random.Generator) -> Points:
    """Draws from four circles around the origin, equally likely, with noise along the radius.

        x = r (cos a, sin a),    r = k + .1 n,  n ~ N(0, 1),  a ~ U[0, 2 pi)

    The label is k - 1, of 0 .. 3.
    """
    ring = generator.integers(4, size=count)
    radius = ring + 1 + .1 * generator.standard_normal(count)
    angle = 2 * np.pi * generator.random(count)
    return radius[:, np.newaxis] * np.stack([np.cos(angle), np.sin(angle)], axis=1), ring


# The sampler of each density, and the number of its parts.
_DENSITIES: dict[str, tuple[Callable[[int, np.random.Generator], Points], int]] = {
    'checkerboard': (checkerboard, 8), 'moons': (moons, 2), 'pinwheel': (pinwheel, 5),
    'rings': (rings, 4)}
NAMES = tuple(_DENSITIES)
