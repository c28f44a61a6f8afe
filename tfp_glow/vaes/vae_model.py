"""Defines a Keras model around a VAE."""

import keras

from tfp_glow.training import likelihood_model
from tfp_glow.vaes import latent_model, objective


@keras.saving.register_keras_serializable('tfp_glow')
class VAEModel(likelihood_model.LikelihoodModel):
    """Trains a `LatentModel` by the ELBO, over batches `[B, H, W, C]` of integers 0 .. bins-1.

    ```none
    loss = (weight * sum_c max(free_bits, batch mean of kl_c) - mean of log p(x|z)) / D
    weight = min(1, (step + 1) / kl_warmup_steps)
    ```

    The model reports these metrics: `loss`, in nats per dimension; the bound itself, without weight
    and free bits, as `nats` per image, -log p(x), and as `bits_per_dim`; and `kl`, the divergence
    of all latents in nats per image. On validation and test data all are computed with the averaged
    weights, if the optimizer keeps them (`use_ema=True`), and `loss` is that of the bound alone.
    Averages start with less momentum, see `FlowModel`.

    Args:
        vae: A `LatentModel`.
        samples: L, the number of draws of the latents for each image, in training and evaluation.
        closed_form: Whether to use the divergence of Gaussians instead of its estimate from the
            draws, where there is a closed form.
        free_bits: The nats per channel of the latents that cost the same however few are used, see
            `vaes.free_bits`.
        kl_warmup_steps: The number of steps over which the weight of the divergence rises to 1; 0
            for no warm-up.
        importance_samples: k. If given, evaluation is by the importance-weighted bound of k draws.
        counted_dims: The number of dimensions that bits/dim counts, where images were padded; the
            default is all.
        seed: An integer. The draws depend on it and on the step alone.
        towers: The number of shares of a batch that are computed beside each other, see
            `FlowModel`; None for 1.
        name: The name of the model.

    Raises:
        ValueError: If an argument is out of its range. `compile` raises it if a weight is read that
            `vae.trainable_variables` does not list, or for `closed_form` of a VAE that has none.

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

    def __init__(self, vae: latent_model.LatentModel, samples: int = 1, closed_form: bool = False,
                 free_bits: float = 0., kl_warmup_steps: int = 0,
                 importance_samples: int | None = None, counted_dims: int | None = None,
                 seed: int = 0, towers: int | None = None, name: str = 'vae_model') -> None:
        config = {key: value for key, value in locals().items()
                  if key not in ('self', '__class__')}
        super().__init__(objective.VAEObjective(
            vae, samples, closed_form, free_bits, kl_warmup_steps, importance_samples,
            counted_dims), seed, towers=towers, name=name, config=config)

    @property
    def vae(self) -> latent_model.LatentModel:
        """The VAE, as given."""
        return self.objective.module

    @property
    def bins(self) -> int:
        """The number of grey levels."""
        return self.vae.bins
