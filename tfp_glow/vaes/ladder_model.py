"""Defines a ladder of latents: inference goes up with image features and down with the prior's."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd
from tensorflow_probability import random as tfp_random

from tfp_glow.internal import draws, keras_bridge
from tfp_glow.types import Shape
from tfp_glow.vaes import latent_model, pushing


class LadderLayer(tf.Module):
    """Holds the networks of one group of latents, and the flow of its posterior.

    Args:
        up: `features -> [features, mean, log_sd, context]`.
        down: `features -> [prior_mean, prior_log_sd, mean, log_sd, context, hidden]`.
        merge: `[features, latents, hidden] -> features`.
        flow: An `InverseAutoregressive` over the latents, or a `Chain` of them, whose networks take
            the context as their condition; None for a Gaussian posterior.
        name: The name of the module.

    The networks are built Keras networks or any callables: `networks.ladder_layer` makes three.

    Raises:
        ValueError: If a Keras network is not built, or if a flow takes no condition.
    """

    def __init__(self, up: Any, down: Any, merge: Any, flow: tfb.Bijector | None = None,
                 name: str = 'layer') -> None:
        super().__init__(name=name)
        self.up = keras_bridge.as_module(up, 'up')
        self.down = keras_bridge.as_module(down, 'down')
        self.merge = keras_bridge.as_module(merge, 'merge')
        if flow is not None and not flow.takes_condition:
            raise ValueError(f'flow must take a condition, the context; {flow.name} takes none.')
        self.flow = flow

    def through_flow(self, latents: tf.Tensor, context: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Takes a draw of the Gaussian to one of the posterior, with each dimension's log-det."""
        if self.flow is None:
            return latents, tf.zeros_like(latents)
        return pushing.forward(self.flow, latents, context)


class _Up(NamedTuple):
    """Holds what the way up says of the latents of a layer."""

    mean: tf.Tensor
    log_sd: tf.Tensor
    context: tf.Tensor


class _Down(NamedTuple):
    """Holds what the way down says of a layer's latents, and what it hands to the merge."""

    prior_mean: tf.Tensor
    prior_log_sd: tf.Tensor
    mean: tf.Tensor
    log_sd: tf.Tensor
    context: tf.Tensor
    hidden: tf.Tensor

    def prior(self, temperature: float | tf.Tensor = 1.) -> tfd.Normal:
        """Returns p(z_l | z_<l), with its standard deviations times `temperature`."""
        return tfd.Normal(self.prior_mean, temperature * tf.exp(self.prior_log_sd))

    def posterior(self, up: _Up) -> tfd.Normal:
        """Returns the Gaussian of q(z_l | z_<l, x), before the flow."""
        return tfd.Normal(self.mean + up.mean, tf.exp(self.log_sd + up.log_sd))


class LadderVAE(latent_model.LatentModel):
    """Models images by a bidirectional ladder of groups of latents z_1 .. z_L.

    z_1 is at the top, and each group is given those above it.

    ```none
    up:     h_L+1 = stem(x),   h_l, (a_l, s_l, c_l) = up_l(h_l+1)                   l = L .. 1
    down:   d_0 = top,   (m_l, t_l, a'_l, s'_l, c'_l, e_l) = down_l(d_l-1)          l = 1 .. L
            p(z_l | z_<l)       = N(m_l, exp(t_l)^2)
            q(z_l | z_<l, x)    = N(a_l + a'_l, exp(s_l + s'_l)^2), through flow_l given c_l + c'_l
            d_l = merge_l(d_l-1, z_l, e_l)
    p(x | z) = likelihood(head(d_L))
    ```

    A call of `infer` runs each network once, and all draws share the way up.

    Args:
        event_shape: The shape `(H, W, C)` of the images.
        bins: The number of grey levels.
        stem: Images in (-1/2, 1/2) to features, a built Keras network or any callable.
        layers: `LadderLayer`s; the first is that of z_1, the top.
        latent_shapes: The shapes of z_1 .. z_L.
        top: A tensor or `tf.Variable` `[h, w, width]`, or of a shape that broadcasts with it. The
            way down starts with it. Its dtype is the model's.
        top_side: `(h, w)`.
        head: Features to the parameters of the likelihood `[B, H, W, ...]`.
        likelihood: These parameters to a `tfd.Distribution` over images.
        name: The name of the module.

    Raises:
        ValueError: If there are no layers, or not one of `latent_shapes` for each; see also
            `LatentModel`.

    #### References
    Kingma et al., *Improving Variational Inference with Inverse Autoregressive Flow*, 2016,
    arXiv:1606.04934, section 5.3, figure 3 and algorithm 1. `vaes.ladder_vae` builds it.
    """

    def __init__(self, event_shape: Shape, bins: int, stem: Any, layers: Sequence[LadderLayer],
                 latent_shapes: Sequence[Shape], top: tf.Tensor | tf.Variable, top_side: Shape,
                 head: Any, likelihood: Callable[[tf.Tensor], tfd.Distribution],
                 name: str = 'ladder_vae') -> None:
        super().__init__(event_shape, bins, latent_shapes, name=name)
        self._layers = list(layers)
        if not self._layers or len(self._layers) != len(self.latent_shapes):
            raise ValueError('layers must be as many as latent_shapes, at least 1; '
                             f'got {len(self._layers)} and {len(self.latent_shapes)}.')
        self._stem = keras_bridge.as_module(stem, 'stem')
        self._head = keras_bridge.as_module(head, 'head')
        self._top, self._top_side, self._likelihood = top, tuple(top_side), likelihood

    @property
    def layers(self) -> tuple[LadderLayer, ...]:
        """The `LadderLayer`s, that of the top first."""
        return tuple(self._layers)

    def _features(self, images: tf.Tensor) -> list[_Up]:
        return self._up(images, self._run)

    def _infer(self, images: tf.Tensor, features: list[_Up], seed: tf.Tensor,
               closed_form: bool) -> latent_model.Inference:
        if closed_form and any(layer.flow is not None for layer in self._layers):
            raise ValueError('closed_form must be False where the posterior has a flow, whose '
                             f'divergence has no closed form; got {closed_form=}.')
        seeds = self._split(seed)
        kl: list[tf.Tensor] = []

        def draw(index: int, down: _Down) -> tf.Tensor:
            prior, posterior = down.prior(), down.posterior(features[index])
            own = posterior.loc + posterior.scale * draws.normal_like(
                posterior.loc, seeds[index])
            latents, log_dets = self._layers[index].through_flow(
                own, features[index].context + down.context)
            if closed_form:
                divergence = tfd.kl_divergence(posterior, prior)
            else:
                divergence = posterior.log_prob(own) - log_dets - prior.log_prob(latents)
            kl.append(tf.reduce_sum(divergence, axis=[1, 2]))
            return latents
        latents, params = self._down(_length(features[0].mean), draw, self._run)
        likelihood = self._likelihood(params).log_prob(tf.cast(images, self._top.dtype))
        return latent_model.Inference(latents, likelihood, kl)

    def _encode(self, features: list[_Up], seed: tf.Tensor | None) -> list[tf.Tensor]:
        return self._down(_length(features[0].mean), self._posterior(features, seed), self._run)[0]

    def _decode(self, latents: Sequence[tf.Tensor]) -> tfd.Distribution:
        return self._likelihood(self._down(
            _length(latents[0]), lambda index, _: latents[index], self._run)[1])

    def _sample_latents(self, n: int | tf.Tensor, seed: tf.Tensor,
                        temperature: float | tf.Tensor) -> list[tf.Tensor]:
        seeds = self._split(seed)
        return self._down(
            n, lambda index, down: down.prior(temperature).sample(seed=seeds[index]), self._run)[0]

    def _initialize(self, images: tf.Tensor, seed: tf.Tensor) -> None:
        """Initializes each network from its input on the way up and then, by a draw of q, down."""
        features = self._up(images, self._initialized)
        self._down(_length(images), self._posterior(features, seed), self._initialized)

    def _posterior(self, features: list[_Up],
                   seed: tf.Tensor | None) -> Callable[[int, _Down], tf.Tensor]:
        """Returns the `draw` of `_down` that draws from q(z|x) or, without a seed, its centre."""
        seeds = None if seed is None else self._split(seed)

        def draw(index: int, down: _Down) -> tf.Tensor:
            posterior = down.posterior(features[index])
            own = posterior.mean() if seeds is None else posterior.sample(seed=seeds[index])
            return self._layers[index].through_flow(
                own, features[index].context + down.context)[0]
        return draw

    def _up(self, images: tf.Tensor, run: Callable[[Any, Any], Any]) -> list[_Up]:
        """Returns what the way up says of each layer, the top first; `run` calls the networks."""
        hidden = run(self._stem, latent_model.centred(images, self.bins))
        ups = []
        for layer in reversed(self._layers):
            hidden, *said = run(layer.up, hidden)
            ups.append(_Up(*said))
        return ups[::-1]

    def _down(self, n: int | tf.Tensor, draw: Callable[[int, _Down], tf.Tensor],
              run: Callable[[Any, Any], Any]) -> tuple[list[tf.Tensor], tf.Tensor]:
        """Returns `(latents, parameters of the likelihood)`.

        `draw(index, down)` gives the latents of a layer, and `run` calls the networks.
        """
        hidden = tf.broadcast_to(self._top, [n, *self._top_side, self._top.shape[-1]])
        latents = []
        for index, layer in enumerate(self._layers):
            down = _Down(*run(layer.down, hidden))
            latents.append(draw(index, down))
            hidden = run(layer.merge, [hidden, latents[-1], down.hidden])
        return latents, run(self._head, hidden)

    def _run(self, network: Callable[[Any], Any], inputs: Any) -> Any:
        """Returns the network's outputs in the dtype of the model."""
        return tf.nest.map_structure(lambda t: tf.cast(t, self._top.dtype), network(inputs))

    def _initialized(self, network: Any, inputs: Any) -> Any:
        """Initializes a network from its inputs, then runs it."""
        if hasattr(network, 'initialize'):
            network.initialize(inputs)
        return self._run(network, inputs)

    def _split(self, seed: tf.Tensor) -> list[tf.Tensor]:
        return tf.unstack(tfp_random.split_seed(seed, n=len(self._layers)), len(self._layers))


def _length(tensor: tf.Tensor) -> int | tf.Tensor:
    """Returns the size of axis 0, as a number if it is known."""
    return tf.shape(tensor)[0] if tensor.shape[0] is None else tensor.shape[0]
