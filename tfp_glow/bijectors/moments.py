"""The mean and second moments of data that comes batch by batch, in float64 on the host."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from tfp_glow.types import TensorLike


def batches_of(data: TensorLike | Iterable[TensorLike], name: str, ndims: int | None = None,
               ) -> Iterator[np.ndarray]:
    """Yields the batches of `data`, checked, as float64 arrays `[n, *event_shape]`.

    Empty batches are left out.

    Args:
        data: One array or tensor, or an iterable of them such as a `tf.data.Dataset`.
        name: The name of `data` in errors.
        ndims: The number of dimensions of a batch, or None for any number from 2 on.

    Raises:
        ValueError: If a batch has another number of dimensions, another event shape than the first,
            or values that are not finite.
    """
    event_shape = None
    for batch in [data] if hasattr(data, 'shape') else data:
        batch = np.asarray(batch, np.float64)
        if batch.ndim < 2 or ndims not in (None, batch.ndim):
            raise ValueError(f'{name} must have {ndims or "at least 2"} dimensions, the batch '
                             f'first; got shape={batch.shape}.')
        event_shape = event_shape or batch.shape[1:]
        if batch.shape[1:] != event_shape:
            raise ValueError(f'{name} must have events of one shape, {event_shape} as in the '
                             f'first batch; got {batch.shape[1:]}.')
        if not np.all(np.isfinite(batch)):
            raise ValueError(f'{name} must be finite; got NaN or infinity.')
        if len(batch):
            yield batch


def merge(rows: Iterable[np.ndarray], squares: Callable[[np.ndarray], np.ndarray],
          ) -> tuple[int, np.ndarray, np.ndarray]:
    """Returns the count, the mean, and the mean of the squares about it, of all rows in one pass.

    Batches are merged about their common mean, which stays accurate where the mean is large against
    the deviation (Chan, Golub and LeVeque, *Algorithms for Computing the Sample Variance*, The
    American Statistician 37(3), 1983).

    Args:
        rows: An iterable of `[n, D]` float64 arrays, n > 0.
        squares: `variances` or `covariances`.

    Returns:
        N; the mean, `[D]`; and the mean over N (not N - 1) of the squares, `[D]` or `[D, D]`. If N
        is 0, the last two are 0.
    """
    count, mean, total = 0, np.zeros([]), np.zeros([])
    for batch in rows:
        merged = count + len(batch)
        centre = batch.mean(axis=0)
        delta = (centre - mean)[np.newaxis]
        total = total + squares(batch - centre) + squares(delta) * (count * len(batch) / merged)
        mean = mean + delta[0] * (len(batch) / merged)
        count = merged
    return count, mean, total / max(count, 1)


def variances(deviations: np.ndarray) -> np.ndarray:
    """Returns sums of squares: `[n, D] -> [D]`."""
    return np.sum(deviations**2, axis=0)


def covariances(deviations: np.ndarray) -> np.ndarray:
    """Returns sums of products: `[n, D] -> [D, D]`."""
    return deviations.T @ deviations
