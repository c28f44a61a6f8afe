"""Builders of the autoregressive flows: MADE, MAF and IAF."""

import functools
import math

import numpy as np
import tensorflow as tf

from tfp_glow import bijectors as tgb
from tfp_glow import networks
from tfp_glow.flows import building, vectors

INNERS = ('affine', 'spline', 'mixture')
ORDERS = ('alternate', 'natural', 'reversed', 'random')


def maf(event_shape, layers=5, hidden=(512, 512), *, inner='affine', components=4, bins=8,
        batch_norm=True, order='alternate', prior='normal', network=None, network_options=None,
        classes=None, dtype=tf.float32, network_dtype=None, seed=0, name='maf'):
    """MAF: `layers` x (masked autoregressive transform, batch norm), dense or convolutional.

    ```none
    inverse(y):   h = 2 y (images) or y (vectors);  for each layer:
                  h[i] = inner(network(h)[i]).inverse(h[i]) for all i;  h = batch_norm(h)
    ```

    where `network(h)[i]` depends on what comes before i in the layer's order. Density is parallel,
    sampling serial: with the dense network one pass of each layer's arithmetic. Images are doubled,
    from [-1/2, 1/2) to [-1, 1), where the components of the mixture start.

    The flow evaluates: train its twin `with_training(flow)`, which normalises by the batch, and
    call `update_statistics(flow, data)` before evaluating, as in the paper's code.

    Args:
      event_shape: `(D,)`, or `(H, W, C)` of images, which are flattened for the dense network.
      layers: how many.
      hidden: units of the hidden layers of `networks.made`; another `network` does not read it.
      inner: 'affine', the paper's, with a scale softly bounded to .01 .. 1000; 'spline', of `bins`
        bins; 'mixture', the logit of the CDF of a mixture of `components` logistics and an affine
        map, which with one layer and the logistic prior is a mixture density per dimension; or an
        inner transform, see `bijectors.MaskedAutoregressive`.
      components: of each mixture.
      bins: of each spline.
      batch_norm: normalise after each layer, with trained shift and scale, as the paper does.
      order: of the dimensions: 'alternate' (natural, reversed, natural, ...), or the same kind for
        all layers: 'natural', 'reversed', 'random' (another one each, by `seed`).
      prior: of the latents: 'normal' or 'logistic'.
      network: `(event_shape, outputs_per_dim, order=, seed=, dtype=, name=) -> built Keras network`
        over images as they are, such as `networks.masked_conv`; by default `networks.made`.
      network_options: further keyword arguments for the network, such as `direct=True`.
      classes: `condition=` is a label per event, one of so many classes, seen by each network.
      dtype: of data and parameters.
      network_dtype: Keras dtype or policy of the networks, by default `dtype`.
      seed: integer; the same seed gives the same initial weights.
      name: prefix of the variables' names.

    Returns:
      `tfd.TransformedDistribution` over the events, with one latent of their shape.

    Raises:
      ValueError: an argument out of its range; the message names it.

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


def iaf(event_shape, layers=5, hidden=(512, 512), *, inner='affine', components=4, bins=8,
        batch_norm=False, order='alternate', prior='normal', network=None, network_options=None,
        classes=None, dtype=tf.float32, network_dtype=None, seed=0, name='iaf'):
    """IAF: the layers of `maf` inverted, so that sampling is parallel and density serial.

    ```none
    forward(x):   for each layer, the last first:
                  x = batch_norm.forward(x);  x[i] = inner(network(x)[i]).inverse(x[i]) for all i
    ```

    Trained by density it runs its serial direction in each step, all of which backprop keeps: for
    vectors of a few dimensions. As a posterior, sampled and scored at its own samples, it is
    parallel. The affine scale, which here multiplies samples, is softly bounded to .001 .. 100.

    Args: as `maf`; `batch_norm`, which is no part of the paper's, is False by default.

    Raises:
      ValueError: as `maf`.

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


def made(event_shape, hidden=(512, 512), *, order='natural', name='made', **options):
    """MADE as a density: one layer of `maf` without batch norm, whose `options` it takes.

    With `inner='affine'` and the Normal prior each dimension is Normal given those before it; with
    `inner='mixture'` and `prior='logistic'` a mixture of logistics.

    Raises:
      ValueError: as `maf`.

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


def _inner(inner, components, bins, minimum, maximum):
    if not isinstance(inner, str):
        return inner
    building.check_choice('inner', inner, INNERS)
    if inner == 'spline':
        return tgb.SplineInner(bins)
    if inner == 'mixture':
        return tgb.MixtureCDFInner(components)
    # Of raw = 0 the scale is 1.
    offset = math.log((1 - minimum) / (maximum - 1))
    return tgb.AffineInner(tgb.scale_maps.sigmoid(offset, minimum, maximum))


def _stack(layer, event_shape, layers, hidden, inner, batch_norm, order, prior, network,
           network_options, classes, dtype, network_dtype, seed, name):
    """The flow of so many `layer`s, of which the first is the nearest to the data."""
    shape = vectors.vector_shape(event_shape)
    if layers < 1:
        raise ValueError(f'layers must be positive; got {layers=}.')
    building.check_choice('order', order, ORDERS)
    dense, size = network is None, int(np.prod(shape))
    if dense:
        network = functools.partial(networks.made, hidden=hidden)
    if classes is not None:
        network = functools.partial(network, classes=classes)
    parts = [vectors.from_unit_range(-1., 1., dtype)] if len(shape) > 1 else []
    for k in range(layers):
        path = f'{name}/layer_{k}'
        with tf.name_scope(path):  # Keras names its weights by the scope.
            built = network(
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


def _batch_norm(channels, event_ndims, path, dtype):
    make = functools.partial(building.variable, path=f'{path}/batch_norm', dtype=dtype)
    return tgb.BatchNorm(
        make('shift', np.zeros(channels)), make('log_scale', np.zeros(channels)),
        make('mean', np.zeros(channels), trainable=False),
        make('variance', np.ones(channels), trainable=False), event_ndims=event_ndims)
