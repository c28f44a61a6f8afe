"""Takes the first examples of what `fit` is given."""

from typing import Any

import tensorflow as tf

from tfp_glow.types import Condition


def first_examples(x: Any, y: Any, count: int) -> Any:
    """Returns `(x, y)` of the first `count` examples; for a data set, one batch of as many.

    Args:
        x: Images, or a data set, of which each element is one batch.
        y: The condition of the images, which may be None; a data set has its own.
        count: The number of examples.

    Raises:
        ValueError: If `x` is neither images nor a data set; only these can be read twice.
    """
    if isinstance(x, tf.data.Dataset):
        return next(iter(x.unbatch().batch(count)))
    if not hasattr(x, 'shape'):
        raise ValueError('x must be images or a tf.data.Dataset for fit to initialise from them; '
                         f'got {type(x).__name__}: initialise from a batch first.')
    return x[:count], first_rows(y, count)


def first_rows(condition: Condition, count: int) -> Condition:
    """Returns the first `count` entries of a condition, which may be None."""
    return tf.nest.map_structure(lambda c: None if c is None else c[:count], condition)
