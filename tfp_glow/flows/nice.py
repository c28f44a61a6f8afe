"""Builds NICE."""

import functools
import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd
from tensorflow_probability import util as tfp_util

from tfp_glow import bijectors as tgb
from tfp_glow import networks
from tfp_glow.flows import building, vectors
from tfp_glow.internal import configs
from tfp_glow.types import DType, Shape


@configs.recorded
def nice(event_shape: Shape, couplings: int = 4,
         hidden: Sequence[int] | Sequence[Sequence[int]] = (1000,) * 5, *,
         prior: str = 'logistic', mixture: str = 'none', components: int = 5,
         data_range: tuple[float, float] | None = None, scaling_rate: float = 1.,
         activation: str = 'relu', classes: int | None = None, dtype: DType = tf.float32,
         network_dtype: str | None = None, seed: int = 0,
         name: str = 'nice') -> tfd.TransformedDistribution:
    """Builds NICE: additive couplings of the even and the odd entries in turn, then a scaling.

    With `[even, odd]` the entries of the event as one vector and m_k the networks,

    ```none
    inverse(y):   h = data_range(y);  with mixture='data'  h = logit F(h)
                  odd += m_0(even);  even += m_1(odd);  odd += m_2(even);  ...
                  z = h * exp(log_scale);  with mixture='prior'  z = logit F(z)
    log|det J_inverse| = sum(log_scale) + D log(high - low) + the mixture's
    ```

    The scaling is diagonal. The couplings keep volume. So, apart from a mixture, only the
    `log_scale` of each entry, which is 0 at first, tells how much the data vary. The networks' last
    layers start at zero, while the paper draws them at random: the flow begins as the identity, or
    as the mixture's map.

    Args:
        event_shape: The shape `(D,)`, or `(H, W, C)` for images, which are flattened; it has at
            least 2 entries.
        couplings: The number of couplings, whose roles alternate.
        hidden: The units of the hidden layers of each network, or a list of one such tuple per
            coupling.
        prior: The distribution of the latents, 'logistic' (the paper's for MNIST and TFD) or
            'normal' (for SVHN and CIFAR-10).
        mixture: Whether there is an elementwise map logit F, which is our addition. F is the
            distribution function of a mixture of logistics for each entry, trained like all else.
            'data' puts it before the couplings, which then see entries that are all spread alike,
            though many pixels are nearly constant. 'prior' puts it after the scaling; with a
            logistic prior, the mixture itself is then the prior. 'none', as in the paper, has
            neither.
        components: The number of components of each mixture. They have mean 0 at first, and scales
            from 1 to 1/1024.
        data_range: `(low, high)`, to which the constant first map brings data of [-1/2, 1/2). This
            makes a difference to the networks, not to the density. The default for images is
            [0, 1), the paper's range of MNIST; its CIFAR-10 is in [-1, 1). By default vectors stay
            as they are.
        scaling_rate: The factor by which a trained variable is multiplied to give `log_scale` or a
            parameter of a mixture, as if the variable's learning rate were larger. Adam at 1e-3
            needs thousands of steps from scale 1 to that of dequantized pixels, which is beyond
            100. The paper has 1.
        activation: The activation of the hidden layers.
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
    Dinh, Krueger and Bengio, *NICE: Non-linear Independent Components Estimation*, 2014,
    arXiv:1410.8516, sections 3 and 5.1.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> flow = tfp_glow.flows.nice((4, 4, 1), couplings=2, hidden=[8])
    >>> flow.sample(3, seed=1).shape
    TensorShape([3, 4, 4, 1])
    >>> tfp_glow.flows.nice([2], hidden=[8], prior='normal').log_prob(tf.zeros([3, 2])).shape
    TensorShape([3])

    ```
    """
    shape = vectors.vector_shape(event_shape, least=2)
    size = int(np.prod(shape))
    if couplings < 1 or scaling_rate <= 0 or components < 1:
        raise ValueError('couplings, scaling_rate and components must be positive; '
                         f'got {couplings=}, {scaling_rate=}, {components=}.')
    if data_range is None and len(shape) > 1:
        data_range = (0., 1.)
    building.check_choice('mixture', mixture, ('none', 'data', 'prior'))
    parts = [] if data_range is None else [vectors.from_unit_range(*data_range, dtype)]
    if mixture == 'data':
        parts.append(_mixture(size, components, scaling_rate, dtype, name))
    for k, units in enumerate(_per_coupling(hidden, couplings)):
        kept = (size + 1 - k % 2) // 2
        with tf.name_scope(f'{name}/coupling_{k}'):  # Keras names its weights by the scope.
            network = networks.mlp(
                kept, size - kept, units, activation=activation, classes=classes, name='network',
                seed=int(np.random.SeedSequence([seed, k]).generate_state(1)[0] >> 1),
                dtype=network_dtype or tf.as_dtype(dtype).name)
        parts.append(tgb.Coupling(network, tgb.Additive(), tgb.splits.even_odd(k % 2),
                                  event_ndims=1))
    parts.append(tgb.ShiftScale(log_scale=_rated('log_scale', [size], scaling_rate, dtype, name),
                                name='scaling'))
    if mixture == 'prior':
        parts.append(_mixture(size, components, scaling_rate, dtype, name))
    return vectors.flow_over(shape, parts, prior, dtype, name)


def _mixture(size: int, components: int, rate: float, dtype: DType,
             name: str) -> tgb.MixtureLogisticCDF:
    """Returns the map from each entry's mixture to a standard logistic."""
    log_scales = tf.constant(np.linspace(0, -math.log(1024), components), dtype)
    make = functools.partial(_rated, shape=[size, components], rate=rate, dtype=dtype,
                             name=f'{name}/mixture')
    return tgb.MixtureLogisticCDF(
        make('logits'), make('means', change=lambda v: v * tf.exp(log_scales)),
        make('log_scales', change=lambda v: v + log_scales), name='mixture')


def _rated(label: str, shape: Sequence[int], rate: float, dtype: DType, name: str,
           change: Callable[[tf.Tensor], tf.Tensor] = lambda v: v) -> tfp_util.DeferredTensor:
    """Returns `change` of `rate` times a variable that is zero at first."""
    variable = building.variable(label, np.zeros(shape), name, dtype)
    return tfp_util.DeferredTensor(variable, lambda v: change(rate * v))


def _per_coupling(hidden: Iterable, couplings: int) -> list[Sequence[int]]:
    """Returns the units of the hidden layers of each coupling's network."""
    hidden = list(hidden)
    if all(np.ndim(units) == 0 for units in hidden):
        return [hidden] * couplings
    if len(hidden) != couplings or any(np.ndim(units) != 1 for units in hidden):
        raise ValueError('hidden must be the numbers of one network or a list of them, one per '
                         f'coupling, {couplings}; got {hidden=}.')
    return hidden
