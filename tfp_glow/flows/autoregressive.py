"""Builds the autoregressive flows MADE, MAF and IAF."""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from tfp_glow import bijectors as tgb
from tfp_glow import networks
from tfp_glow.flows import building, vectors
from tfp_glow.internal import configs
from tfp_glow.types import DType, Shape

INNERS = ('affine', 'spline', 'mixture')
ORDERS = ('alternate', 'natural', 'reversed', 'random')


@configs.recorded
def maf(event_shape: Shape, layers: int = 5, hidden: Sequence[int] = (512, 512), *,
        inner: str | building.Inner = 'affine', components: int = 4, bins: int = 8,
        batch_norm: bool = True, order: str = 'alternate', prior: str = 'normal',
        network: building.MakeNetwork | None = None,
        network_options: Mapping[str, Any] | None = None, classes: int | None = None,
        dtype: DType = tf.float32, network_dtype: str | None = None, seed: int = 0,
        name: str = 'maf') -> tfd.TransformedDistribution:
    """Builds a MAF, dense or convolutional: `layers` x (autoregressive transform, batch norm).

    The autoregressive transforms are masked.

    ```none
    inverse(y):   h = 2 y (images) or y (vectors);  for each layer:
                  h[i] = inner(network(h)[i]).inverse(h[i]) for all i;  h = batch_norm(h)
    ```

    Here `network(h)[i]` depends on the entries that come before i in the layer's order. The density
    is computed in parallel. Sampling is serial: with the dense network it costs one pass of each
    layer's arithmetic. Images are doubled, from [-1/2, 1/2) to [-1, 1), because the components of
    the mixture start there.

    The flow itself is for evaluation. Train its twin `with_training(flow)`, which normalises by the
    batch, and call `update_statistics(flow, data)` before you evaluate, as the paper's code does.

    Args:
        event_shape: The shape `(D,)`, or `(H, W, C)` for images, which are flattened for the dense
            network.
        layers: The number of layers.
        hidden: The units of the hidden layers of `networks.made`. Another `network` does not get
            them.
        inner: 'affine' is the paper's, with a scale that is softly bounded to .01 .. 1000.
            'spline' has `bins` bins. 'mixture' is the logit of the CDF of a mixture of `components`
            logistics, followed by an affine map; with one layer and the logistic prior it is a
            mixture density per dimension. Any other inner transform may also be given, see
            `bijectors.MaskedAutoregressive`.
        components: The number of components of each mixture.
        bins: The number of bins of each spline.
        batch_norm: Whether to normalise after each layer, with a trained shift and scale, as the
            paper does.
        order: The order of the dimensions: 'alternate' (natural, reversed, natural, ...), or the
            same kind for all layers: 'natural', 'reversed', 'random' (a different one for each
            layer, drawn by `seed`).
        prior: The distribution of the latents, 'normal' or 'logistic'.
        network: A function `(event_shape, outputs_per_dim, order=, seed=, dtype=, name=) -> built
            Keras network` over images as they are, such as `networks.masked_conv`. The default is
            `networks.made`.
        network_options: Further keyword arguments for the network, such as `direct=True`.
        classes: If given, `condition=` is a label per event, one of this number of classes, and
            each network sees it.
        dtype: The dtype of data and parameters.
        network_dtype: The Keras dtype or policy of the networks; the default is `dtype`.
        seed: An integer. The same seed gives the same initial weights.
        name: The prefix of the variables' names.

    Returns:
        A `tfd.TransformedDistribution` over the events, with one latent of their shape.

    Raises:
        ValueError: If an argument is out of its range; the message names it.

    #### References
    Papamakarios, Pavlakou and Murray, *Masked Autoregressive Flow for Density Estimation*, 2017,
    arXiv:1705.07057, section 3 and appendix B.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> flow = tfp_glow.flows.maf([3], layers=2, hidden=[8])
    >>> flow.log_prob(tf.zeros([5, 3])).shape
    TensorShape([5])
    >>> flow = tfp_glow.flows.maf((4, 4, 1), layers=1, hidden=[8], inner='mixture', components=2)
    >>> flow.sample(2, seed=1).shape
    TensorShape([2, 4, 4, 1])

    ```
    """
    inner = _inner(inner, components, bins, minimum=1e-2, maximum=1e3)
    return _stack(tgb.MaskedAutoregressive, event_shape, layers, hidden, inner, batch_norm, order,
                  prior, network, network_options, classes, dtype, network_dtype, seed, name)


@configs.recorded
def iaf(event_shape: Shape, layers: int = 5, hidden: Sequence[int] = (512, 512), *,
        inner: str | building.Inner = 'affine', components: int = 4, bins: int = 8,
        batch_norm: bool = False, order: str = 'alternate', prior: str = 'normal',
        network: building.MakeNetwork | None = None,
        network_options: Mapping[str, Any] | None = None, classes: int | None = None,
        dtype: DType = tf.float32, network_dtype: str | None = None, seed: int = 0,
        name: str = 'iaf') -> tfd.TransformedDistribution:
    """Builds an IAF: the layers of `maf` inverted, so sampling is parallel and density serial.

    ```none
    forward(x):   for each layer, the last first:
                  x = batch_norm.forward(x);  x[i] = inner(network(x)[i]).inverse(x[i]) for all i
    ```

    If it is trained by density, each step runs its serial direction, and backprop keeps all of it;
    this suits vectors of a few dimensions. It is parallel if it is used as a posterior, sampled and
    scored at its own samples. The affine scale multiplies samples here, and is softly bounded to
    .001 .. 100.

    The arguments and the result are those of `maf`. `batch_norm`, which is not part of the paper,
    is False by default.

    Raises:
        ValueError: If an argument is out of its range, as in `maf`.

    #### References
    Kingma et al., *Improving Variational Inference with Inverse Autoregressive Flow*, 2016,
    arXiv:1606.04934, algorithm 1.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> tfp_glow.flows.iaf([3], layers=2, hidden=[8]).sample(5, seed=1).shape
    TensorShape([5, 3])

    ```
    """
    inner = _inner(inner, components, bins, minimum=1e-3, maximum=1e2)
    return _stack(tgb.InverseAutoregressive, event_shape, layers, hidden, inner, batch_norm, order,
                  prior, network, network_options, classes, dtype, network_dtype, seed, name)


@configs.recorded
def made(event_shape: Shape, hidden: Sequence[int] = (512, 512), *, order: str = 'natural',
         name: str = 'made', **options: Any) -> tfd.TransformedDistribution:
    """Builds a MADE as a density: one layer of `maf` without batch norm.

    With `inner='affine'` and the Normal prior, each dimension is Normal given those before it. With
    `inner='mixture'` and `prior='logistic'` it is a mixture of logistics given those before it.

    The arguments and the result are those of `maf`; `options` are the arguments that are not named
    here.

    Raises:
        ValueError: If an argument is out of its range, as in `maf`.
    #### References
    Germain, Gregor, Murray and Larochelle, *MADE*, 2015, arXiv:1502.03509; Papamakarios, Pavlakou
    and Murray, 2017, arXiv:1705.07057, section 2.2, of continuous data.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> flow = tfp_glow.flows.made([3], hidden=[8], inner='spline', bins=4)
    >>> flow.log_prob(tf.zeros([5, 3])).shape
    TensorShape([5])

    ```
    """
    return maf(event_shape, 1, hidden, order=order, batch_norm=False, name=name, **options)


def _inner(inner: str | building.Inner, components: int, bins: int, minimum: float,
           maximum: float) -> building.Inner:
    """Returns the inner transform that a name stands for; others are returned as they are."""
    if not isinstance(inner, str):
        return inner
    building.check_choice('inner', inner, INNERS)
    if inner == 'spline':
        return tgb.SplineInner(bins)
    if inner == 'mixture':
        return tgb.MixtureCDFInner(components)
    # Raw outputs of 0 give the scale 1.
    offset = math.log((1 - minimum) / (maximum - 1))
    return tgb.AffineInner(tgb.scale_maps.sigmoid(offset, minimum, maximum))


def _stack(layer: Callable[[Any, building.Inner], tfb.Bijector], event_shape: Shape, layers: int,
           hidden: Sequence[int], inner: building.Inner, batch_norm: bool, order: str, prior: str,
           network: building.MakeNetwork | None, network_options: Mapping[str, Any] | None,
           classes: int | None, dtype: DType, network_dtype: str | None, seed: int,
           name: str) -> tfd.TransformedDistribution:
    """Builds the flow of `layers` bijectors `layer`; the first one is the nearest to the data."""
    shape = vectors.vector_shape(event_shape)
    if layers < 1:
        raise ValueError(f'layers must be positive; got {layers=}.')
    building.check_choice('order', order, ORDERS)
    dense, size = network is None, int(np.prod(shape))
    make: building.MakeNetwork = (
        functools.partial(networks.made, hidden=hidden) if network is None else network)
    if classes is not None:
        make = functools.partial(make, classes=classes)
    parts = [vectors.from_unit_range(-1., 1., dtype)] if len(shape) > 1 else []
    for k in range(layers):
        path = f'{name}/layer_{k}'
        with tf.name_scope(path):  # Keras names its weights by the scope.
            built = make(
                size if dense else shape, inner.outputs_per_channel,
                order=('natural', 'reversed')[k % 2] if order == 'alternate' else order,
                seed=int(np.random.SeedSequence([seed, k]).generate_state(1)[0] >> 1),
                dtype=network_dtype or tf.as_dtype(dtype).name, name='network',
                **(network_options or {}))
        parts.append(layer(built, inner))
        if batch_norm:
            parts.append(_batch_norm(size if dense else shape[-1], 1 if dense else len(shape),
                                     path, dtype))
    return vectors.flow_over(shape, parts, prior, dtype, name, flatten=dense)


def _batch_norm(channels: int, event_ndims: int, path: str, dtype: DType) -> tgb.BatchNorm:
    """Makes a batch norm with its variables, which is the identity at first."""
    make = functools.partial(building.variable, path=f'{path}/batch_norm', dtype=dtype)
    return tgb.BatchNorm(
        make('shift', np.zeros(channels)), make('log_scale', np.zeros(channels)),
        make('mean', np.zeros(channels), trainable=False),
        make('variance', np.ones(channels), trainable=False), event_ndims=event_ndims)
