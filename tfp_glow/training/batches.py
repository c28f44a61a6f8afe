"""The first examples of what `fit` is given."""

import tensorflow as tf


def first_examples(x, y, count):
    """`(x, y)` of the first `count` examples, or a data set's first so many.

    Raises:
      ValueError: `x` is neither images nor a data set, which could be read twice.
    """
    if isinstance(x, tf.data.Dataset):
        return next(iter(x.unbatch().batch(count)))
    if not hasattr(x, 'shape'):
        raise ValueError('x must be images or a tf.data.Dataset for fit to initialise from them; '
                         f'got {type(x).__name__}: initialise from a batch first.')
    return x[:count], first_rows(y, count)


def first_rows(condition, count):
    """The first `count` entries of a condition, which may be None."""
    return tf.nest.map_structure(lambda c: None if c is None else c[:count], condition)
