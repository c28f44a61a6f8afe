"""What constructors are given as parameters: tensors of one floating dtype, or variables."""

import tensorflow as tf
from tensorflow_probability import util as tfp_util


def floats(**values):
    """The values in order: variables as they are, the rest as tensors, Python's as float32.

    Raises:
      ValueError: they have not one dtype, or none that is floating.
    """
    found = {name: v if isinstance(v, (tf.Variable, tfp_util.DeferredTensor))
             else tf.convert_to_tensor(v, None if hasattr(v, 'dtype') else tf.float32, name=name)
             for name, v in values.items()}
    dtypes = {v.dtype for v in found.values()}
    if len(dtypes) > 1 or not all(dtype.is_floating for dtype in dtypes):
        listed = ', '.join(f'{name}={v.dtype.name}' for name, v in found.items())
        raise ValueError(f'{", ".join(values)} must have one floating dtype; got {listed}.')
    return list(found.values())
