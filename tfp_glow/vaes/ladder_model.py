"""A ladder of latents: inference goes up with the image's features and down with the prior's."""

from typing import NamedTuple

import tensorflow as tf
from tensorflow_probability import distributions as tfd
from tensorflow_probability import random as tfp_random

from tfp_glow.internal import keras_bridge
from tfp_glow.vaes import latent_model, pushing


class LadderLayer(tf.Module):
    """The networks of one group of latents, and the flow of its posterior.

    Args:
      up: `features -> [features, mean, log_sd, context]`.
      down: `features -> [prior_mean, prior_log_sd, mean, log_sd, context, hidden]`.
      merge: `[features, latents, hidden] -> features`.
      flow: an `InverseAutoregressive` over the latents, or a `Chain` of such, whose networks take
        the context as their condition; None for a Gaussian posterior.
      name: name of the module.

    The networks are built Keras networks or any callables: `networks.ladder_layer` makes three.

    Raises:
      ValueError: a Keras network that is not built; a flow that takes no condition.
    """

    def __init__(self, up, down, merge, flow=None, name='layer'):
        super().__init__(name=name)
        self.up = keras_bridge.as_module(up, 'up')
        self.down = keras_bridge.as_module(down, 'down')
        self.merge = keras_bridge.as_module(merge, 'merge')
        if flow is not None and not flow.takes_condition:
            raise ValueError(f'flow must take a condition, the context; {flow.name} takes none.')
        self.flow = flow

    def through_flow(self, latents, context):
        """A draw of the Gaussian to one of the posterior, and the log-det of each dimension."""
        if self.flow is None:
            return latents, tf.zeros_like(latents)
        return pushing.forward(self.flow, latents, context)


class _Up(NamedTuple):
    """What the way up says of the latents of a layer."""

    mean: tf.Tensor
    log_sd: tf.Tensor
    context: tf.Tensor


class _Down(NamedTuple):
    """What the way down says of them, and what it hands to the merge."""

    prior_mean: tf.Tensor
    prior_log_sd: tf.Tensor
    mean: tf.Tensor
    log_sd: tf.Tensor
    context: tf.Tensor
    hidden: tf.Tensor

    def prior(self, temperature=1.):
        return tfd.Normal(self.prior_mean, temperature * tf.exp(self.prior_log_sd))

    def posterior(self, up):
        return tfd.Normal(self.mean + up.mean, tf.exp(self.log_sd + up.log_sd))


class LadderVAE(latent_model.LatentModel):
    """The bidirectional ladder: groups of latents z_1 .. z_L, z_1 at the top, each given the above.

    ```none
    up:     h_L+1 = stem(x),   h_l, (a_l, s_l, c_l) = up_l(h_l+1)                   l = L .. 1
    down:   d_0 = top,   (m_l, t_l, a'_l, s'_l, c'_l, e_l) = down_l(d_l-1)          l = 1 .. L
            p(z_l | z_<l)       = N(m_l, exp(t_l)^2)
            q(z_l | z_<l, x)    = N(a_l + a'_l, exp(s_l + s'_l)^2), through flow_l given c_l + c'_l
            d_l = merge_l(d_l-1, z_l, e_l)
    p(x | z) = likelihood(head(d_L))
    ```

    A call of `infer` runs each network once, and the way up is shared by all draws.

    Args:
      event_shape: `(H, W, C)` of the images.
      bins: number of grey levels.
      stem: images in (-1/2, 1/2) to features, a built Keras network or any callable.
      layers: `LadderLayer`s, that of z_1, the top, first.
      latent_shapes: of z_1 .. z_L.
      top: tensor or `tf.Variable` `[h, w, width]`, or of a shape that broadcasts with it: what the
        way down starts with. Its dtype is the model's.
      top_side: `(h, w)`.
      head: features to the parameters of the likelihood `[B, H, W, ...]`.
      likelihood: these parameters to a `tfd.Distribution` over images.
      name: name of the module.

    Raises:
      ValueError: no layers, or not one of `latent_shapes` for each; see also `LatentModel`.

    #### References
    Kingma et al., *Improving Variational Inference with Inverse Autoregressive Flow*, 2016,
    arXiv:1606.04934, section 5.3, figure 3 and algorithm 1. `vaes.ladder_vae` builds it.
    """

    def __init__(self, event_shape, bins, stem, layers, latent_shapes, top, top_side, head,
                 likelihood, name='ladder_vae'):
        super().__init__(event_shape, bins, latent_shapes, name=name)
        self._layers = list(layers)
        if not self._layers or len(self._layers) != len(self.latent_shapes):
            raise ValueError('layers must be as many as latent_shapes, at least 1; '
                             f'got {len(self._layers)} and {len(self.latent_shapes)}.')
        self._stem = keras_bridge.as_module(stem, 'stem')
        self._head = keras_bridge.as_module(head, 'head')
        self._top, self._top_side, self._likelihood = top, tuple(top_side), likelihood

    @property
    def layers(self):
        """The `LadderLayer`s, that of the top first."""
        return tuple(self._layers)

    def _features(self, images):
        return self._up(images, self._run)

    def _infer(self, images, features, seed, closed_form):
        if closed_form and any(layer.flow is not None for layer in self._layers):
            raise ValueError('closed_form must be False where the posterior has a flow, whose '
                             f'divergence has no closed form; got {closed_form=}.')
        seeds = self._split(seed)
        kl = []

        def draw(index, down):
            prior, posterior = down.prior(), down.posterior(features[index])
            own = posterior.sample(seed=seeds[index])
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

    def _encode(self, features, seed):
        return self._down(_length(features[0].mean), self._posterior(features, seed), self._run)[0]

    def _decode(self, latents):
        return self._likelihood(self._down(
            _length(latents[0]), lambda index, _: latents[index], self._run)[1])

    def _sample_latents(self, n, seed, temperature):
        seeds = self._split(seed)
        return self._down(
            n, lambda index, down: down.prior(temperature).sample(seed=seeds[index]), self._run)[0]

    def _initialize(self, images, seed):
        """Each network from what reaches it on the way up and then, by a draw of q, down."""
        features = self._up(images, self._initialized)
        self._down(_length(images), self._posterior(features, seed), self._initialized)

    def _posterior(self, features, seed):
        """For `_down`: a draw of q(z|x) or, where `seed` is None, its centre."""
        seeds = None if seed is None else self._split(seed)

        def draw(index, down):
            posterior = down.posterior(features[index])
            own = posterior.mean() if seed is None else posterior.sample(seed=seeds[index])
            return self._layers[index].through_flow(
                own, features[index].context + down.context)[0]
        return draw

    def _up(self, images, run):
        """What the way up says of each layer, the top first; `run` calls the networks."""
        hidden = run(self._stem, latent_model.centred(images, self.bins))
        found = []
        for layer in reversed(self._layers):
            hidden, *said = run(layer.up, hidden)
            found.append(_Up(*said))
        return found[::-1]

    def _down(self, n, draw, run):
        """`(latents, parameters of the likelihood)`; `draw(index, down)` gives the latents."""
        hidden = tf.broadcast_to(self._top, [n, *self._top_side, self._top.shape[-1]])
        latents = []
        for index, layer in enumerate(self._layers):
            down = _Down(*run(layer.down, hidden))
            latents.append(draw(index, down))
            hidden = run(layer.merge, [hidden, latents[-1], down.hidden])
        return latents, run(self._head, hidden)

    def _run(self, network, inputs):
        return tf.nest.map_structure(lambda t: tf.cast(t, self._top.dtype), network(inputs))

    def _initialized(self, network, inputs):
        if hasattr(network, 'initialize'):
            network.initialize(inputs)
        return self._run(network, inputs)

    def _split(self, seed):
        return tf.unstack(tfp_random.split_seed(seed, n=len(self._layers)), len(self._layers))


def _length(tensor):
    return tf.shape(tensor)[0] if tensor.shape[0] is None else tensor.shape[0]
