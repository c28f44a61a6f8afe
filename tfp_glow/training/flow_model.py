"""Defines a Keras model around a flow."""

import types
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_glow.internal import configs
from tfp_glow.training import likelihood_model, objective
from tfp_glow.types import Seed, TensorLike


@keras.saving.register_keras_serializable('tfp_glow')
class FlowModel(likelihood_model.LikelihoodModel):
    """Trains a flow by maximum likelihood: over images, with dequantization inside, or vectors.

    The model takes batches of integer images `[B, H, W, C]` with values 0 .. bins-1, alone or first
    in a tuple; a flow that takes a condition gets it from the tuple's second place. `fit`
    initialises the flow from the first 256 images unless that has been done. `loss` is in nats per
    dimension, see below, and `bits_per_dim` in bits. On validation and test data both are computed
    with the averaged weights, if the optimizer keeps them (`use_ema=True`), and `loss` is that of
    the likelihood alone. At step t the averages have the momentum
    min(ema_momentum, (1 + t) / (10 + t)), so that they soon forget the initial weights. Gradient
    clipping and warm-up belong to the optimizer (`global_clipnorm`, a learning-rate schedule).

    Examples may have weights, third in the tuple or as `sample_weight`: means are then weighted,
    and an example of weight 0 changes nothing, even if it holds NaN. A step whose loss or gradients
    are not finite is not applied; `fit` warns of such steps, and stops after `patience_nan` in a
    row with the layer, or the data, that is not finite. Under a `tf.distribute` strategy, replicas
    and workers train as one device does with the whole batch. See `training.Stepping`.

    ```none
    loss = - mean(log p(y | condition)) / D
           + classification_weight * cross-entropy of the classifier
           + sum(weights^2) / (2 weight_prior^2 N D)
    ```

    A flow with `BatchNorm` trains by the statistics of each batch. Before it evaluates, the
    statistics are computed anew, for the weights that evaluate, from the first 1,024 images that
    `fit` saw or that were given to `set_reference`.

    **Towers.** Small convolutions hardly gain from several cores. With `towers=N` a batch is
    computed in N shares beside each other, each on a core of its own, in training, in evaluation
    and in `predict`. The loss, its gradients and the noise are those of one tower, up to rounding.
    A flow with `BatchNorm` is not trained by several towers, and neither is one that XLA compiles
    or whose networks draw random numbers. Set the threads before TensorFlow starts, N being the
    number of cores:

    ```none
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(N)
    ```

    Args:
        flow: A `tfd.TransformedDistribution`, over images with data in [-1/2, 1/2) or over vectors;
            or a `flows.IntegerFlow`, over the images as they are.
        bins: The number of grey levels: 256 by default for images. None for continuous data, real
            vectors or images that are no integers, which are taken as they are and reported as
            `nats`, -log p of an example, in place of bits. It must be given for vectors.
        counted_dims: The number of dimensions that bits/dim counts, where images were padded; the
            default is all.
        seed: An integer; the dequantization noise depends on it, on the step and on the replica
            alone.
        round_trip: Whether to report the metric `reconstruction_error` too, on validation and test
            data. This is the largest |forward(inverse(y)) - y| of a batch in units of the pixel
            range, averaged over batches. Gradients at constant memory rest on it.
        noise: A `distributions.VariationalNoise` that is trained too; the default is uniform noise.
        condition_spec: A structure of `tf.TensorSpec`s of the condition, where it is not a batch of
            integer labels.
        classifier: A module `(latents, labels) -> logits [B, classes]`, such as
            `flows.ClassFinder`, that predicts the label from the latents and is trained too. It is
            reported as `accuracy`.
        classification_weight: The weight of the second term of the loss above.
        weight_prior: The standard deviation of a Gaussian prior on every trained weight, which
            makes the estimate that of the maximum a posteriori. None for maximum likelihood.
        examples: N, the number of training examples; needed with a prior.
        towers: The number of shares of a batch that are computed beside each other, see above; None
            for 1.
        name: The name of the model.

    Raises:
        ValueError: If an argument is out of its range. `compile` raises it if there is nothing to
            train, or if `flow.log_prob` reads a trainable weight that `flow.trainable_variables`
            does not list: silently, such a weight would not be trained.

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

    def __init__(self, flow: tfd.Distribution, bins: int | types.EllipsisType | None = ...,
                 counted_dims: int | None = None, seed: int = 0, round_trip: bool = False, *,
                 noise: tfd.Distribution | None = None, condition_spec: Any = None,
                 classifier: Callable[..., tf.Tensor] | None = None,
                 classification_weight: float = .01, weight_prior: float | None = None,
                 examples: int | None = None, towers: int | None = None,
                 name: str = 'flow_model') -> None:
        if isinstance(bins, types.EllipsisType):
            if flow.event_shape.rank != 3:
                raise ValueError(
                    f'bins must be given for a flow over {flow.event_shape}: None for continuous '
                    'data, or the number of levels of integers.')
            bins = 256
        config = {key: value for key, value in locals().items()
                  if key not in ('self', '__class__', 'classifier')}
        if classifier is not None:
            config['network'] = getattr(classifier, 'network', classifier)
        super().__init__(objective.Objective(
            flow, bins, counted_dims, noise, classifier, classification_weight, weight_prior,
            examples, round_trip), seed, condition_spec, towers, name, config=config)

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> 'FlowModel':
        """Returns a model with fresh weights."""
        del custom_objects
        arguments = configs.valued(config)
        if 'network' in arguments:
            finder = configs.builder('class_finder')
            arguments['classifier'] = finder(arguments['flow'], arguments.pop('network'))
        return cls(**arguments)

    @property
    def flow(self) -> tfd.Distribution:
        """The flow, as given."""
        return self.objective.flow

    @property
    def noise(self) -> tfd.Distribution | None:
        """The dequantization noise that is trained too, or None."""
        return self.objective.noise

    @property
    def bins(self) -> int | None:
        """The number of grey levels; None for continuous data."""
        return self.objective.bins

    def to_data(self, images: TensorLike, seed: Seed) -> tf.Tensor:
        """Returns integer images as data of the flow, in [-1/2, 1/2); `seed` is two integers."""
        return self.objective.to_data(images, seed)

    def to_images(self, data: TensorLike) -> tf.Tensor:
        """Returns data of the flow as uint8 images."""
        return self.objective.to_images(data)
