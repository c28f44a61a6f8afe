"""A Keras model around a flow."""

from tfp_glow.training import likelihood_model, objective


class FlowModel(likelihood_model.LikelihoodModel):
    """Trains a flow by maximum likelihood: over images, with dequantization inside, or vectors.

    Takes batches of integer images `[B, H, W, C]` with values 0 .. bins-1, alone or first in a
    tuple; a flow that takes a condition gets it from the tuple's second place. `fit` initialises
    the flow from the first 256 images unless that has been done. `loss` is in nats per dimension,
    see below, `bits_per_dim` in bits; on validation and test data both are computed with the
    averaged weights, if the optimizer keeps them (`use_ema=True`), and `loss` is the likelihood's
    alone. At step t the averages have the momentum min(ema_momentum, (1 + t) / (10 + t)), so that
    they soon forget the initial weights. Gradient clipping and warm-up are the optimizer's
    (`global_clipnorm`, a learning-rate schedule).

    ```none
    loss = - mean(log p(y | condition)) / D
           + classification_weight * cross-entropy of the classifier
           + sum(weights^2) / (2 weight_prior^2 N D)
    ```

    A flow with `BatchNorm` trains by the statistics of each batch; before it evaluates, the
    statistics are computed anew from the first 1,024 images that `fit` saw or that were given to
    `set_reference`, for the weights that evaluate.

    Args:
      flow: a `tfd.TransformedDistribution`, over images with data in [-1/2, 1/2) or over vectors;
        or a `flows.IntegerFlow`, of the images as they are.
      bins: number of grey levels; None for continuous data, which are taken as they are and
        reported as `nats`, -log p of an example, in place of bits.
      counted_dims: dimensions that bits/dim counts, where images were padded; all by default.
      seed: integer; the dequantization noise depends on it and on the step alone.
      round_trip: on validation and test data also report the metric `reconstruction_error`, the
        largest |forward(inverse(y)) - y| of a batch in units of the pixel range, averaged over
        batches: what gradients at constant memory rest on.
      noise: a `distributions.VariationalNoise` that is trained too; uniform noise by default.
      condition_spec: structure of `tf.TensorSpec`s of the condition, where it is no batch of
        integer labels.
      classifier: a module `(latents, labels) -> logits [B, classes]` that finds the label from the
        latents and is trained too, such as `flows.ClassFinder`; reported as `accuracy`.
      classification_weight: see above.
      weight_prior: standard deviation of a Gaussian prior on every trained weight: the estimate is
        then that of the maximum a posteriori. None for maximum likelihood.
      examples: N, the number of training examples; needed with a prior.
      name: name of the model.

    Raises:
      ValueError: an argument out of its range; by `compile`, when `flow.log_prob` reads a trainable
        weight that `flow.trainable_variables` does not list (it would not be trained, silently), or
        when there is nothing to train.

    #### References
    Theis, van den Oord and Bethge, *A note on the evaluation of generative models*, 2016,
    arXiv:1511.01844, section 3.1, for dequantization.
    Kingma and Dhariwal, *Glow*, 2018, arXiv:1807.03039, for the classifier.

    ```python
    >>> import keras, numpy as np, tfp_glow
    >>> flow = tfp_glow.flows.glow((8, 8, 1), levels=2, steps_per_level=1, width=4)
    >>> model = tfp_glow.FlowModel(flow, bins=17)
    >>> model.compile(keras.optimizers.Adam(1e-3))
    >>> images = np.zeros([16, 8, 8, 1], np.uint8)
    >>> history = model.fit(images, batch_size=8, epochs=1, verbose=0)
    >>> sorted(history.history)
    ['bits_per_dim', 'loss']

    ```
    """

    def __init__(self, flow, bins=256, counted_dims=None, seed=0, round_trip=False, *, noise=None,
                 condition_spec=None, classifier=None, classification_weight=.01,
                 weight_prior=None, examples=None, name='flow_model'):
        super().__init__(objective.Objective(
            flow, bins, counted_dims, noise, classifier, classification_weight, weight_prior,
            examples, round_trip), seed, condition_spec, name)

    @property
    def flow(self):
        """The flow, as given."""
        return self.objective.flow

    @property
    def noise(self):
        """The dequantization noise that is trained too, or None."""
        return self.objective.noise

    @property
    def bins(self):
        """The number of grey levels; None for continuous data."""
        return self.objective.bins

    def to_data(self, images, seed):
        """Integer images as data of the flow, in [-1/2, 1/2); `seed` is two integers."""
        return self.objective.to_data(images, seed)

    def to_images(self, data):
        """Data of the flow as uint8 images."""
        return self.objective.to_images(data)
