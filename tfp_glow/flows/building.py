"""What the builders share: the distribution, the variables, the checks of their arguments."""

import functools

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_glow.distributions import latents


def transformed(distribution, bijector, name=None):
    """`tfd.TransformedDistribution` whose `condition=` reaches the bijector, and nothing else does.

    `log_prob(y, condition=c)`, `sample(n, seed=s, condition=c)` and the like give `condition` to
    each bijector and network in it that takes one. Axis 0 of `c`, a tensor or a structure of them,
    is the batch: of the size of the innermost batch dimension of y, or n, or 1.

    Raises (when called):
      TypeError: any other keyword.
      ValueError: a condition for a flow that takes none, or none for a flow that takes one.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> flow = tfp_glow.flows.glow((4, 4, 1), 1, 1, width=4, classes=3)
    >>> flow.sample(2, seed=1, condition=tf.constant([0, 2])).shape
    TensorShape([2, 4, 4, 1])

    ```
    """
    return tfd.TransformedDistribution(distribution, bijector, kwargs_split_fn=_split, name=name)


def _split(kwargs):
    unknown = set(kwargs) - {'condition'}
    if unknown:
        raise TypeError(f'a flow may be given condition=; got an unknown keyword {min(unknown)!r}.')
    return {}, kwargs


def level_latents(shapes, top_prior, dtype, name):
    """The base of a multi-scale flow; `top_prior` as in `glow`."""
    if top_prior == 'standard':
        return latents(shapes, dtype=dtype)
    shape = shapes[-1] if top_prior == 'position' else shapes[-1][-1:]
    make = functools.partial(variable, path=f'{name}/top_prior', dtype=dtype)
    return latents(shapes, make('loc', np.zeros(shape)), make('log_scale', np.zeros(shape)),
                   dtype)


def variable(name, value, path, dtype, trainable=True):
    """A variable of `value`, named by its path; integers and booleans keep their dtype."""
    dtype = None if np.issubdtype(value.dtype, np.integer) else dtype
    return tf.Variable(value, dtype=dtype, trainable=trainable, name=f'{path}/{name}')


def multi_scale_shape(event_shape, levels, last_squeezes=True):
    """`event_shape` as a tuple, if its sides can be halved once a level, or once less."""
    if levels < 1:
        raise ValueError(f'levels must be positive; got {levels=}.')
    shape = tuple(tf.TensorShape(event_shape).as_list())
    if len(shape) != 3 or None in shape:
        raise ValueError(f'event_shape must be a known (height, width, channels); got {shape}.')
    squeezes, text = (levels, 'levels') if last_squeezes else (levels - 1, '(levels - 1)')
    for side, name in zip(shape, ('height', 'width')):
        if side % 2**squeezes:
            raise ValueError(f'{name} must be divisible by 2**{text} = {2**squeezes}; got '
                             f'{name}={side}, {levels=}.')
    return shape


def check_choice(argument, value, choices):
    """Raises a `ValueError` unless `value` is one of `choices`."""
    if value not in choices:
        raise ValueError(f'{argument} must be one of {", ".join(choices)}; got {value!r}.')
