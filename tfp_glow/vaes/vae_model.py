"""A Keras model around a VAE."""

from tfp_glow.training import likelihood_model
from tfp_glow.vaes import objective


class VAEModel(likelihood_model.LikelihoodModel):
    """Trains a `LatentModel` by the ELBO, over batches `[B, H, W, C]` of integers 0 .. bins-1.

    ```none
    loss = (weight * sum_c max(free_bits, batch mean of kl_c) - mean of log p(x|z)) / D
    weight = min(1, (step + 1) / kl_warmup_steps)
    ```

    Reported are `loss`, in nats per dimension; the bound itself, without weight and free bits, as
    `nats` per image, -log p(x), and as `bits_per_dim`; and `kl`, the divergence of all latents in
    nats per image. On validation and test data all are computed with the averaged weights, if the
    optimizer keeps them (`use_ema=True`), and `loss` is the bound's alone. Averages start with less
    momentum, see `FlowModel`.

    Args:
      vae: a `LatentModel`.
      samples: L, draws of the latents for each image, in training and evaluation.
      closed_form: use the divergence of Gaussians in place of its estimate from the draws, where
        there is one.
      free_bits: nats per channel of the latents that cost the same however few are used, see
        `vaes.free_bits`.
      kl_warmup_steps: steps over which the weight of the divergence rises to 1; 0 for none.
      importance_samples: k; evaluation is then by the importance-weighted bound of k draws.
      counted_dims: dimensions that bits/dim counts, where images were padded; all by default.
      seed: integer; the draws depend on it and on the step alone.
      name: name of the model.

    Raises:
      ValueError: an argument out of its range; by `compile`, when a weight is read that
        `vae.trainable_variables` does not list, or `closed_form` of a VAE that has none.

    #### References
    * Kingma and Welling, *Auto-Encoding Variational Bayes*, 2014, arXiv:1312.6114.
    * Kingma et al., 2016, arXiv:1606.04934, appendix C.8, for free bits.
    * Sønderby et al., *Ladder Variational Autoencoders*, 2016, arXiv:1602.02282, for the warm-up.

    ```python
    >>> import keras, numpy as np, tfp_glow
    >>> vae = tfp_glow.vaes.dense_vae((4, 4, 1), latent_dims=2, hidden=[8])
    >>> model = tfp_glow.vaes.VAEModel(vae, free_bits=.1, kl_warmup_steps=10)
    >>> model.compile(keras.optimizers.Adam(1e-3))
    >>> history = model.fit(np.ones([16, 4, 4, 1], np.uint8), batch_size=8, verbose=0)
    >>> sorted(history.history)
    ['bits_per_dim', 'kl', 'loss', 'nats']

    ```
    """

    def __init__(self, vae, samples=1, closed_form=False, free_bits=0., kl_warmup_steps=0,
                 importance_samples=None, counted_dims=None, seed=0, name='vae_model'):
        super().__init__(objective.VAEObjective(
            vae, samples, closed_form, free_bits, kl_warmup_steps, importance_samples,
            counted_dims), seed, name=name)

    @property
    def vae(self):
        """The VAE, as given."""
        return self.objective.module

    @property
    def bins(self):
        """The number of grey levels."""
        return self.vae.bins
