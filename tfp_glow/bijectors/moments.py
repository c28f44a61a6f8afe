"""Mean and second moments of data that comes batch by batch, in float64 on the host."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from tfp_glow.types import TensorLike


def batches_of(data: TensorLike | Iterable[TensorLike], name: str, ndims: int | None = None,
               ) -> Iterator[np.ndarray]:
    """The batches of `data`, checked, as float64 arrays `[n, *event_shape]`, empty ones left out.

    Args:
      data: one array or tensor, or an iterable of them such as a `tf.data.Dataset`.
      name: what errors call `data`.
      ndims: dimensions of a batch, or None for any from 2 on.

    Raises:
      ValueError: a batch has other dimensions, another event shape than the first, or values that
        are not finite.
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
    """Count, mean, and mean of the squares about it, of all rows in one pass.

    Batches are merged about their common mean, which stays accurate where the mean is large
    against the deviation (Chan, Golub and LeVeque, *Algorithms for Computing the Sample Variance*,
    The American Statistician 37(3), 1983).

    Args:
      rows: iterable of `[n, D]` float64 arrays, n > 0.
      squares: `variances` or `covariances`.

    Returns:
      N; the mean, `[D]`; and the mean over N (not N - 1) of the squares, `[D]` or `[D, D]`. The
      last two are 0 if N is.
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
    """`[n, D] -> [D]`: sums of squares."""
    return np.sum(deviations**2, axis=0)


def covariances(deviations: np.ndarray) -> np.ndarray:
    """`[n, D] -> [D, D]`: sums of products."""
    return deviations.T @ deviations
