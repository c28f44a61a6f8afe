"""`LatentImageAnswers`, a VAE as a model of integer images."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfp_glow import vaes
from tfp_glow.internal.towers import Towers
from tfp_glow.serving import answers
from tfp_glow.serving import images as flow_images
from tfp_glow.serving.frame import Frame
from tfp_glow.types import Seed, TensorLike


class LatentImageAnswers:
    """Answers by a VAE about uint8 images, `[B, H, W, C]`, 0 .. bins-1, as TensorFlow computations.

    Questions are asked and checked as those to `Answers` are. `decode` and `reconstruct` return
    pictures, which are float32 in 0 .. bins-1 and free of the noise of p(x|z), see
    `LatentModel.picture`. The images of `sample` have this noise.

    Args:
        vae: A `vaes.LatentModel`.
        frame: The `Frame` between these images and those of the model.
        towers: The number of shares in which the pictures of latents are computed, see `FlowModel`.
    """

    kind = 'images'
    model_type = 'vae'
    classes: int | None = None

    def __init__(self, vae: vaes.LatentModel, frame: Frame, towers: int = 1) -> None:
        self.vae, self.frame, self.towers = vae, frame, Towers(towers)
        # Saving would trace this function anew for both questions that call it, were it not
        # concrete.
        self._picture = tf.function(
            lambda latents: frame.crop(self.towers.run(vae.picture, latents)),
            autograph=False).get_concrete_function(self.latent_specs)

    @property
    def name(self) -> str:
        """The model's name."""
        return self.vae.name

    @property
    def event_shape(self) -> list[int]:
        """The shape of the images that are modelled."""
        return self.vae.event_shape.as_list()

    @property
    def event_spec(self) -> tf.TensorSpec:
        """The spec of a batch of images."""
        return tf.TensorSpec([None, *self.frame.image_shape], tf.uint8)

    @property
    def latent_shapes(self) -> list[list[int]]:
        """The shape of each group of latents."""
        return [shape.as_list() for shape in self.vae.latent_shapes]

    @property
    def latent_specs(self) -> list[tf.TensorSpec]:
        """The spec of a batch of each group of latents."""
        return [tf.TensorSpec([None, *shape], tf.float32) for shape in self.latent_shapes]

    @property
    def densities(self) -> dict[str, answers.Specs]:
        """The question about the density."""
        return {'elbo': {'images': self.event_spec, 'seed': answers.seed_spec()}}

    @property
    def questions(self) -> dict[str, answers.Specs]:
        """All questions, `{question: {argument: its TensorSpec}}`, in the order of the arguments.
        """
        return {'sample': answers.sample_specs(), **self.densities,
                'encode': {'images': self.event_spec},
                'decode': {'latents': self.latent_specs},
                'reconstruct': {'images': self.event_spec}}

    @property
    def about(self) -> dict[str, Any]:
        """What `bundle.json` says of a VAE."""
        return {'family': 'vae', 'bins': self.vae.bins, 'image_shape': self.frame.image_shape}

    def sample(self, n: TensorLike, temperature: TensorLike = 1., seed: Seed = 0) -> tf.Tensor:
        """Returns `n` images, uint8: draws of p(x|z) for z from the prior at the temperature."""
        n, temperature = answers.checked_draw(n, temperature)
        drawn = self.vae.sample(n, answers.pair('sample', seed), temperature)
        return tf.cast(self.frame.crop(drawn), tf.uint8)

    def elbo(self, images: tf.Tensor, seed: Seed = 0) -> tf.Tensor:
        """Returns a lower bound of log P(image) in nats, `[B]`, from one draw of the latents."""
        return vaes.elbo(self.vae, self._padded(images, 'elbo'), answers.pair('elbo', seed))

    def encode(self, images: tf.Tensor) -> list[tf.Tensor]:
        """Returns one tensor for each group of latents: the centre of q(z|x)."""
        return self.vae.encode(self._padded(images, 'encode'))

    def decode(self, latents: list[tf.Tensor]) -> tf.Tensor:
        """Returns the pictures of latents."""
        return self._picture(answers.checked_latents(latents, 'decode'))

    def reconstruct(self, images: tf.Tensor) -> tf.Tensor:
        """Returns `decode(encode(images))`."""
        return self._picture(self.vae.encode(self._padded(images, 'reconstruct')))

    def round_trip(self, events: np.ndarray, again: np.ndarray) -> tuple[float, str | None]:
        """Returns `(figure, complaint)` about `again`, the reconstruction of `events`.

        The figure is the mean error of the reconstruction, in grey levels. There is no complaint.
        """
        return float(np.mean(np.abs(again - events.astype(np.float32)))), None

    def _padded(self, images: tf.Tensor, question: str) -> tf.Tensor:
        return self.frame.pad(flow_images.checked_levels(images, self.vae.bins, question))
