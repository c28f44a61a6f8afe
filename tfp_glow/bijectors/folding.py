"""Functions that fold the leading dimensions of inputs and conditions into one batch."""

import tensorflow as tf

from tfp_glow.types import Condition, Latents


def check_input(name: str, value: Latents, ndims: int) -> None:
    """Checks that all parts of `value` are batches of events of one floating dtype.

    Raises:
        ValueError: If they are not.
    """
    parts = tf.nest.flatten(value)
    dtypes = {part.dtype for part in parts}
    if len(dtypes) > 1 or not parts[0].dtype.is_floating:
        raise ValueError(f'{name}: the input must have one floating dtype; got dtype='
                         f'{", ".join(sorted(dtype.name for dtype in dtypes))}.')
    if ndims == 0:
        return
    for part in parts:
        if part.shape.rank is None or part.shape.rank < ndims:
            raise ValueError(f'{name}: the input must have at least {ndims} dimensions; '
                             f'got shape={part.shape}.')
        if not part.shape[:-ndims].is_compatible_with(parts[0].shape[:-ndims]):
            raise ValueError(f'{name}: the parts of the input must have one batch shape, '
                             f'{parts[0].shape[:-ndims]}; got shape={part.shape}.')


def fold_condition(condition: Condition, innermost: int | None, count: int | tf.Tensor, name: str,
                   ) -> tf.Tensor:
    """Repeats `condition [n, ...]` to `[count, ...]`.

    Here n must be 1 or `innermost`, the innermost dimension of the batch.

    Raises:
        ValueError: If n is known to be another number.
    """
    condition = tf.convert_to_tensor(condition)
    if condition.shape.rank == 0:
        condition = condition[tf.newaxis]
    given_ = condition.shape[0]
    if given_ is not None and given_ == innermost == tf.get_static_value(count):
        return condition
    if None not in (given_, innermost) and given_ not in (1, innermost):
        raise ValueError(f'condition must have 1 or {innermost} entries along its first axis, as '
                         f'the input of {name}; got shape={condition.shape}.')
    size = tf.shape(condition)[0]
    with tf.control_dependencies([tf.debugging.assert_equal(
            count % size, 0, 'condition must have as many entries as the batch, or 1.')]):
        repeats = count // size
    ones = tf.ones([condition.shape.rank - 1], tf.int32)
    return tf.tile(condition, tf.concat([[repeats], ones], 0))


def fold_batch(tensor: tf.Tensor, ndims: int) -> tf.Tensor:
    """Returns `tensor [..., *event]` as `[B, *event]`; the event has `ndims` dimensions."""
    folded = tf.reshape(tensor, tf.concat([[-1], tf.shape(tensor)[-ndims:]], 0))
    return tf.ensure_shape(folded, [None, *tensor.shape[-ndims:]])


def unfold_batch(tensor: tf.Tensor, ndims: int, batch_shape: tf.Tensor, static: tf.TensorShape,
                 ) -> tf.Tensor:
    """Returns the inverse of `fold_batch`; `static` is what is known of `batch_shape`."""
    shape = tf.concat([batch_shape, tf.shape(tensor)[-ndims:]], 0)
    return tf.ensure_shape(tf.reshape(tensor, shape), static + tensor.shape[-ndims:])
