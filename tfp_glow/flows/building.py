"""What the builders share: the distribution, its steps and variables, checks of arguments."""

import functools

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_glow import bijectors as tgb
from tfp_glow import networks
from tfp_glow.distributions import latents
from tfp_glow.internal import keras_bridge

PERMUTATIONS = ('conv', 'dense', 'shuffle', 'reverse')
TOP_PRIORS = ('channel', 'position', 'standard')


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


def alike_steps(shape, times, permutation, inner, network, seeds, dtype, path, parity=None,
                data_dependent=True):
    """`times` steps of actnorm, 1x1 convolution and coupling, for `repeated`.

    Args:
      shape: `(H, W, C)` of the images.
      times: number of steps.
      permutation: one of `PERMUTATIONS`.
      inner: of the couplings.
      network: `(input_shape, outputs, seed=) -> built Keras network`.
      seeds: two integers or more, for the permutations and for the networks.
      dtype: of the variables.
      path: prefix of their names.
      parity: of the checkerboard that the couplings split by; None for a split by channels.
      data_dependent: whether `tfp_glow.initialize` sets the actnorms, which are identities before.

    Returns:
      `(params, make_parts)`: stacked variables, and what makes the parts of one step from slices.
    """
    channels = shape[2]
    variable_ = functools.partial(variable, path=path, dtype=dtype)
    params = {'act_norm': {
        'shift': variable_('act_norm/shift', np.zeros([times, channels])),
        'log_scale': variable_('act_norm/log_scale', np.zeros([times, channels]))}}
    if data_dependent:
        params['act_norm']['initialized'] = tf.Variable(
            np.zeros([times], bool), trainable=False, name=f'{path}/act_norm/initialized')
    drawn = [_draw_mixing(permutation, channels, [seeds[0], k], dtype) for k in range(times)]
    params['mixing'] = {
        key: variable_(f'{permutation}/{key}', np.stack([d[key] for d in drawn]),
                       trainable=key not in ('permutation', 'sign'))
        for key in drawn[0]}
    split, seen, moved = _split_of(shape, parity)
    stacked = keras_bridge.StackedNetwork(
        network(seen, inner.outputs_per_channel * moved, seed=seeds[1]),
        times, seeds[1], name=f'{path}/network')
    params['network'] = stacked.weights

    def make_parts(params):
        return [tgb.ActNorm(**params['act_norm']),
                _mixing(permutation, channels, dtype, params['mixing']),
                tgb.Coupling(stacked.bind(params['network']), inner, split)]
    return params, make_parts


def repeated(steps, reversible):
    """A `Repeat` of `alike_steps`; of several such, as many of each, in turn."""
    params, makers = zip(*steps)
    times = params[0]['act_norm']['shift'].shape[0]
    if len(steps) == 1:
        return tgb.Repeat(lambda p: tgb.Chain(makers[0](p)), params[0], times, reversible)
    return tgb.Repeat(
        lambda p: tgb.Chain([part for make, own in zip(makers, p) for part in make(own)]),
        list(params), times, reversible)


def _split_of(shape, parity):
    """A coupling's split, the shape that its network sees and the channels that it speaks of."""
    height, width, channels = shape
    if parity is None:
        kept = (channels + 1) // 2
        return tgb.splits.channels(), (height, width, kept), channels - kept
    halves = width % 2 == 0
    return (tgb.splits.checkerboard(parity, halves),
            (height, width // 2 if halves else width, channels), channels)


def _draw_mixing(permutation, channels, seed, dtype):
    dtype = tf.as_dtype(dtype).as_numpy_dtype
    if permutation == 'conv':
        return tgb.plu_parameters(channels, seed, dtype)
    if permutation == 'dense':
        return {'kernel': tgb.rotation(channels, seed).astype(dtype)}
    if permutation == 'shuffle':
        return {'permutation': tgb.random_permutation(channels, seed)}
    return {}


def _mixing(permutation, channels, dtype, params):
    if permutation == 'conv':
        return tgb.InvertibleConv1x1(**params)
    if permutation == 'dense':
        return tgb.DenseConv1x1(**params)
    if permutation == 'shuffle':
        return tgb.Shuffle(**params, dtype=dtype)
    return tgb.Reverse(channels, dtype=dtype)


def exit_prior(input_shape, channels, dtype, path, position_bias):
    """The conditional prior of a latent that leaves: N(mean, exp(logs)) from a zero convolution."""
    prior = networks.ScaledConv2D(2 * channels, 3, 'zeros', rate=3., edge_indicator=True,
                                  position_bias=position_bias, dtype=tf.as_dtype(dtype).name,
                                  name='prior')
    with tf.name_scope(f'{path}/exit'):  # Keras names its weights by the scope.
        prior.build((None, *input_shape))
    return tgb.Coupling(prior, tgb.AffineInner(tgb.scale_maps.exponential()), name='exit')


def class_prior(channels, classes, dtype, path):
    """Shift and scale of the last latent per class, zero at first."""
    prior = networks.ConditionBias(2 * channels, classes=classes, dtype=tf.as_dtype(dtype).name,
                                   name='class_prior')
    with tf.name_scope(path):
        prior.build()
    return tgb.Conditioned(prior, name='class_prior')


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


def per_level(argument, value, levels):
    """`value`, one number or one per level, as a list."""
    each = list(value) if isinstance(value, (list, tuple)) else [value] * levels
    if len(each) != levels:
        raise ValueError(f'{argument} must be one number or one per level, {levels}; '
                         f'got {argument}={value}.')
    return each


def condition_options(classes, condition_channels):
    """What the networks are told of the condition; nothing if there is none."""
    if classes is not None and condition_channels is not None:
        raise ValueError('at most one of classes and condition_channels may be given; '
                         f'got {classes=}, {condition_channels=}.')
    return {key: value for key, value in (('classes', classes), (
        'condition_channels', condition_channels)) if value is not None}
