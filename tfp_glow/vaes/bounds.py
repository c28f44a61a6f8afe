"""Computes lower bounds of log p(x), the ELBO and the importance-weighted bound, and free bits.

Free bits change how much of the divergence training pays for.
"""

import math
import numbers
from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf
from tensorflow_probability import random as tfp_random

from tfp_glow.types import Seed, TensorLike
from tfp_glow.vaes import latent_model


class Bounds(NamedTuple):
    """Holds what `estimate` computes for a batch, in nats.

    Attributes:
        elbo: `[B]`, log_likelihood - sum(kl).
        importance: `[B]`, log 1/k sum_i w_i, of the same draws; None with a closed form.
        log_likelihood: `[B]`, the mean of log p(x|z) over the draws.
        kl: A list of `[B, C]`, one per group of latents, means over the draws; see `Inference`.
    """

    elbo: tf.Tensor
    importance: tf.Tensor | None
    log_likelihood: tf.Tensor
    kl: list[tf.Tensor]


def elbo(model: latent_model.LatentModel, images: TensorLike, seed: Seed, samples: int = 1,
         closed_form: bool = False) -> tf.Tensor:
    """Estimates the ELBO of each image, `[B]`, in nats; the estimate is differentiable.

    ```none
    log p(x) >= E[log p(x|z) + log p(z) - log q(z|x)],   z ~ q(z|x)      the sampled estimator
              = E[log p(x|z)] - KL(q(z|x) || p(z))                       closed_form
    ```

    Args:
        model: A `LatentModel`.
        images: The images, `[B, H, W, C]`.
        seed: Two integers that determine the result.
        samples: L, the number of draws whose mean is taken.
        closed_form: Whether to use the divergence itself, where it is known.

    Raises:
        ValueError: If `samples` is not a positive integer, or if `closed_form` is True where there
            is no closed form.

    #### References
    Kingma and Welling, *Auto-Encoding Variational Bayes*, 2014, arXiv:1312.6114, equations 6, 7.

    ```python
    >>> import numpy as np, tfp_glow
    >>> vae = tfp_glow.vaes.dense_vae((4, 4, 1), latent_dims=2, hidden=[8])
    >>> images = np.zeros([3, 4, 4, 1], np.uint8)
    >>> tfp_glow.vaes.elbo(vae, images, seed=[1, 2], samples=4).shape
    TensorShape([3])

    ```
    """
    return estimate(model, images, seed, samples, closed_form).elbo


def importance_bound(model: latent_model.LatentModel, images: TensorLike, seed: Seed,
                     samples: int) -> tf.Tensor:
    """Estimates the importance-weighted bound of log p(x) of each image, `[B]`, in nats.

    ```none
    log p(x) >= E[log 1/k sum_i w_i],   w_i = p(x|z_i) p(z_i) / q(z_i|x),   z_1 .. z_k ~ q(z|x)
    ```

    The bound rises with k, to log p(x) in the limit. The k draws run in one loop that keeps only
    running sums of them, unless gradients are asked for: memory is constant in k.

    Args:
        model: A `LatentModel`.
        images: The images, `[B, H, W, C]`.
        seed: Two integers that determine the result.
        samples: k, the number of draws.

    Raises:
        ValueError: If `samples` is not a positive integer.

    #### References
    Burda, Grosse and Salakhutdinov, *Importance Weighted Autoencoders*, 2016, arXiv:1509.00519,
    equation 8.
    """
    return estimate(model, images, seed, samples).importance


def estimate(model: latent_model.LatentModel, images: TensorLike, seed: Seed, samples: int = 1,
             closed_form: bool = False) -> Bounds:
    """Computes both bounds from the same draws, and their parts; arguments are those of `elbo`.

    The network that reads the images runs once, whatever `samples` is.
    """
    if not isinstance(samples, numbers.Integral) or samples < 1:
        raise ValueError(f'samples must be a positive integer; got {samples=}.')
    seed = tfp_random.sanitize_seed(seed)
    features = model.features(images)

    def draw(i: int | tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor], tf.Tensor]:
        inference = model.infer(images, tf.random.experimental.stateless_fold_in(seed, i),
                                closed_form, features)
        return (inference.log_likelihood, inference.kl,
                inference.log_likelihood - total_kl(inference.kl))
    likelihood, kl, log_weight = draw(0)
    if samples > 1:
        def add(i: tf.Tensor, sums: tuple) -> tuple[tf.Tensor, tuple]:
            new = draw(i)
            both = tf.stack([sums[2], new[2]])
            added = *tf.nest.map_structure(tf.add, sums[:2], new[:2]), tf.reduce_logsumexp(both, 0)
            return i + 1, tf.nest.map_structure(
                lambda t, old: tf.ensure_shape(t, old.shape), added, sums)
        _, (likelihood, kl, log_weight) = tf.while_loop(
            lambda i, _: i < samples, add, (tf.constant(1), (likelihood, kl, log_weight)),
            parallel_iterations=1, maximum_iterations=samples - 1)
        likelihood, kl = tf.nest.map_structure(lambda t: t / samples, (likelihood, kl))
    importance = None if closed_form else log_weight - math.log(samples)
    return Bounds(likelihood - total_kl(kl), importance, likelihood, kl)


def total_kl(kl: Sequence[tf.Tensor]) -> tf.Tensor:
    """Returns the divergence of all groups, `[B]`, from its parts `[B, C]`."""
    return tf.add_n([tf.reduce_sum(part, -1) for part in kl])


def free_bits(kl: Sequence[tf.Tensor], minimum: float) -> tf.Tensor:
    """Returns what training pays for: sum_c max(minimum, batch mean of kl_c), in nats.

    Below `minimum`, a channel's divergence costs nothing more, so it need not collapse before the
    decoder has learned to use it. With 0, the result is the divergence of the ELBO itself. Then a
    channel's share may be negative, if it is an estimate or belongs to a posterior that is not a
    product over the channels.

    Args:
        kl: A list of `[B, C]`, see `Inference`.
        minimum: The minimum in nats per channel, at least 0.

    #### References
    Kingma et al., 2016, arXiv:1606.04934, appendix C.8.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> float(tfp_glow.vaes.free_bits([tf.constant([[0., 1.], [0., 3.]])], minimum=.5))
    2.5

    ```
    """
    means = [tf.reduce_mean(part, 0) for part in kl]
    if minimum:
        means = [tf.maximum(mean, minimum) for mean in means]
    return tf.add_n([tf.reduce_sum(mean) for mean in means])
