"""Helps all builders: makes distributions, steps and variables, and checks arguments."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from tfp_glow import bijectors as tgb
from tfp_glow import networks
from tfp_glow.distributions.latents import latents
from tfp_glow.internal import keras_bridge
from tfp_glow.types import DType, Shape

# An inner transform, such as `bijectors.AffineInner`: raw outputs of a network -> bijector. Its
# `outputs_per_channel` is the number of raw outputs that it needs for each channel.
Inner = Any
# A function `(input_shape, outputs, ...) -> built Keras network`.
MakeNetwork = Callable[..., Any]
# The stacked variables of some steps, and the function from one step's slices to its bijectors.
Steps = tuple[dict[str, Any], Callable[[Any], list[tfb.Bijector]]]

PERMUTATIONS = ('conv', 'dense', 'shuffle', 'reverse')
TOP_PRIORS = ('channel', 'position', 'standard')


def transformed(distribution: tfd.Distribution, bijector: tfb.Bijector,
                name: str | None = None) -> tfd.TransformedDistribution:
    """Returns a `tfd.TransformedDistribution` whose `condition=` reaches the bijector.

    No other keyword is passed on.

    `log_prob(y, condition=c)`, `sample(n, seed=s, condition=c)` and the like give `condition` to
    each bijector and each network inside that takes one. `c` is a tensor or a structure of tensors.
    Axis 0 of each is the batch; its size is that of the innermost batch dimension of y, or n, or 1.

    Raises:
        TypeError: When the result is called with any other keyword.
        ValueError: When the result is called with a condition though the flow takes none, or
            without one though the flow takes one.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> flow = tfp_glow.flows.glow((4, 4, 1), 1, 1, width=4, classes=3)
    >>> flow.sample(2, seed=1, condition=tf.constant([0, 2])).shape
    TensorShape([2, 4, 4, 1])

    ```
    """
    return tfd.TransformedDistribution(distribution, bijector, kwargs_split_fn=_split, name=name)


def _split(kwargs: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the keyword arguments of the base and those of the bijector."""
    unknown = set(kwargs) - {'condition'}
    if unknown:
        raise TypeError(f'a flow may be given condition=; got an unknown keyword {min(unknown)!r}.')
    return {}, kwargs


def level_latents(shapes: Sequence[Sequence[int]], top_prior: str, dtype: DType,
                  name: str) -> tfd.Distribution:
    """Returns the base of a multi-scale flow; `top_prior` is that of `glow`."""
    if top_prior == 'standard':
        return latents(shapes, dtype=dtype)
    shape = shapes[-1] if top_prior == 'position' else shapes[-1][-1:]
    make = functools.partial(variable, path=f'{name}/top_prior', dtype=dtype)
    return latents(shapes, make('loc', np.zeros(shape)), make('log_scale', np.zeros(shape)),
                   dtype)


def alike_steps(shape: Sequence[int], times: int, permutation: str, inner: Inner,
                network: MakeNetwork, seeds: Sequence[int], dtype: DType, path: str,
                parity: int | None = None, data_dependent: bool = True) -> Steps:
    """Makes `times` steps of actnorm, 1x1 convolution and coupling, for `repeated`.

    Args:
        shape: The shape `(H, W, C)` of the images.
        times: The number of steps.
        permutation: One of `PERMUTATIONS`.
        inner: The inner transform of the couplings.
        network: A function `(input_shape, outputs, seed=) -> built Keras network`.
        seeds: Two integers or more: the first is for the permutations, the second for the networks.
        dtype: The dtype of the variables.
        path: The prefix of their names.
        parity: The parity of the checkerboard that the couplings split by; None for a split by
            channels.
        data_dependent: Whether `tfp_glow.initialize` sets the actnorms, which are identities before
            that.

    Returns:
        `(params, make_parts)`: the stacked variables, and the function that makes the parts of one
        step from slices of them.
    """
    channels = shape[2]
    variable_ = functools.partial(variable, path=path, dtype=dtype)
    params: dict[str, Any] = {'act_norm': {
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

    def make_parts(params: dict[str, Any]) -> list[tfb.Bijector]:
        return [tgb.ActNorm(**params['act_norm']),
                _mixing(permutation, channels, dtype, params['mixing']),
                tgb.Coupling(stacked.bind(params['network']), inner, split)]
    return params, make_parts


def repeated(steps: Sequence[Steps], reversible: bool) -> tgb.Repeat:
    """Returns a `Repeat` of what `alike_steps` made.

    If there are several such steps, each repetition runs one of each, in turn; all must be of the
    same number.
    """
    params, makers = zip(*steps)
    times = params[0]['act_norm']['shift'].shape[0]
    if len(steps) == 1:
        return tgb.Repeat(lambda p: tgb.Chain(makers[0](p)), params[0], times, reversible)
    return tgb.Repeat(
        lambda p: tgb.Chain([part for make, own in zip(makers, p) for part in make(own)]),
        list(params), times, reversible)


def _split_of(shape: Sequence[int], parity: int | None) -> tuple[
        tgb.splits.Split, tuple[int, ...], int]:
    """Returns `(split, seen, moved)` of a coupling.

    `seen` is the shape that its network sees, and `moved` is the number of channels that the
    network's outputs are for.
    """
    height, width, channels = shape
    if parity is None:
        kept = (channels + 1) // 2
        return tgb.splits.channels(), (height, width, kept), channels - kept
    halves = width % 2 == 0
    return (tgb.splits.checkerboard(parity, halves),
            (height, width // 2 if halves else width, channels), channels)


def _draw_mixing(permutation: str, channels: int, seed: Sequence[int],
                 dtype: DType) -> dict[str, np.ndarray]:
    """Draws the initial parameters of one step's permutation."""
    dtype = tf.as_dtype(dtype).as_numpy_dtype
    if permutation == 'conv':
        return tgb.plu_parameters(channels, seed, dtype)
    if permutation == 'dense':
        return {'kernel': tgb.rotation(channels, seed).astype(dtype)}
    if permutation == 'shuffle':
        return {'permutation': tgb.random_permutation(channels, seed)}
    return {}


def _mixing(permutation: str, channels: int, dtype: DType,
            params: Mapping[str, Any]) -> tfb.Bijector:
    """Returns the bijector of one step's permutation."""
    if permutation == 'conv':
        return tgb.InvertibleConv1x1(**params)
    if permutation == 'dense':
        return tgb.DenseConv1x1(**params)
    if permutation == 'shuffle':
        return tgb.Shuffle(**params, dtype=dtype)
    return tgb.Reverse(channels, dtype=dtype)


def exit_prior(input_shape: Sequence[int], channels: int, dtype: DType, path: str,
               position_bias: bool) -> tgb.Coupling:
    """Returns the conditional prior of a latent that leaves early.

    It is N(mean, exp(logs)), and a convolution that starts at zero computes mean and logs.
    """
    prior = networks.ScaledConv2D(2 * channels, 3, 'zeros', rate=3., edge_indicator=True,
                                  position_bias=position_bias, dtype=tf.as_dtype(dtype).name,
                                  name='prior')
    with tf.name_scope(f'{path}/exit'):  # Keras names its weights by the scope.
        prior.build((None, *input_shape))
    return tgb.Coupling(prior, tgb.AffineInner(tgb.scale_maps.exponential()), name='exit')


def class_prior(channels: int, classes: int, dtype: DType, path: str) -> tgb.Conditioned:
    """Returns the shift and scale of the last latent per class, which are zero at first."""
    prior = networks.ConditionBias(2 * channels, classes=classes, dtype=tf.as_dtype(dtype).name,
                                   name='class_prior')
    with tf.name_scope(path):
        prior.build()
    return tgb.Conditioned(prior, name='class_prior')


def variable(name: str, value: np.ndarray, path: str, dtype: DType | None,
             trainable: bool = True) -> tf.Variable:
    """Returns a variable of `value`, named by its path; integers keep their own dtype."""
    dtype = None if np.issubdtype(value.dtype, np.integer) else dtype
    return tf.Variable(value, dtype=dtype, trainable=trainable, name=f'{path}/{name}')


def multi_scale_shape(event_shape: Shape, levels: int,
                      last_squeezes: bool = True) -> tuple[int, int, int]:
    """Returns `event_shape` as a tuple, if its sides can be halved often enough.

    They must be halved once a level or, without `last_squeezes`, once less.

    Raises:
        ValueError: If `levels` is not positive, or if the shape is not known, not that of images or
            not divisible.
    """
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


def check_choice(argument: str, value: Any, choices: Sequence[str]) -> None:
    """Raises a `ValueError` unless `value` is one of `choices`."""
    if value not in choices:
        raise ValueError(f'{argument} must be one of {", ".join(choices)}; got {value!r}.')


def per_level(argument: str, value: Any, levels: int) -> list[Any]:
    """Returns `value`, which is one value or one per level, as a list.

    Raises:
        ValueError: If there is not one per level; the message names `argument`.
    """
    each = list(value) if isinstance(value, (list, tuple)) else [value] * levels
    if len(each) != levels:
        raise ValueError(f'{argument} must be one number or one per level, {levels}; '
                         f'got {argument}={value}.')
    return each


def condition_options(classes: int | None, condition_channels: int | None) -> dict[str, Any]:
    """Returns the networks' arguments that describe the condition; none if there is none.

    Raises:
        ValueError: If both arguments are given.
    """
    if classes is not None and condition_channels is not None:
        raise ValueError('at most one of classes and condition_channels may be given; '
                         f'got {classes=}, {condition_channels=}.')
    return {key: value for key, value in (('classes', classes), (
        'condition_channels', condition_channels)) if value is not None}
