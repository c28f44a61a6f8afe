"""Orders of dimensions, and degrees of units: what the masks of autoregressive networks compare."""

from collections.abc import Sequence

import numpy as np

ORDERS = ('natural', 'reversed', 'random')


def dimension_order(size: int, order: str, seed: int = 0,
                    choices: Sequence[str] = ORDERS) -> np.ndarray:
    """Returns the dimensions from the first determined to the last: `[size]`, int32.

    Raises:
        ValueError: If `order` is not one of `choices`.
    """
    if order not in choices:
        raise ValueError(f'order must be one of {", ".join(choices)}; got {order!r}.')
    dimensions = np.arange(size, dtype=np.int32)
    if order == 'random':
        return np.random.default_rng(seed).permutation(dimensions)
    return dimensions[::-1] if order == 'reversed' else dimensions


def hidden_degrees(units: int, least: int, greatest: int,
                   rng: np.random.Generator | None = None) -> np.ndarray:
    """Returns `[units]` ascending degrees in `least .. greatest`: in equal shares or random."""
    if rng is not None:
        return np.sort(rng.integers(least, greatest, units, endpoint=True))
    steps = np.arange(units) * (greatest - least + 1) // max(units - 1, 1)
    return np.minimum(least + steps, greatest)


def units_by_degree(degrees: Sequence[int] | np.ndarray,
                    size: int) -> tuple[np.ndarray, np.ndarray]:
    """Tells which units have degree 0, ..., size-1, in rows of one length.

    Args:
        degrees: Ascending integers.
        size: The number of rows.

    Returns:
        Indices into `degrees`, `[size, n]`, int32, and `[size, n]`, bool, which is False where a
        row with fewer than n units is filled up.
    """
    starts, stops = (np.searchsorted(degrees, np.arange(size), side) for side in ('left', 'right'))
    places = np.arange(max(1, max(stops - starts)))
    real = places < (stops - starts)[:, None]
    return np.where(real, starts[:, None] + places, 0).astype(np.int32), real
