"""`LatentImageAnswers`: a VAE as a model of integer images."""

import numpy as np
import tensorflow as tf

from tfp_glow import vaes
from tfp_glow.serving import answers
from tfp_glow.serving import images as flow_images


class LatentImageAnswers:
    """What a VAE says about uint8 images, `[B, H, W, C]`, 0 .. bins-1, as TensorFlow computations.

    Asked and checked as `Answers` are. What `decode` and `reconstruct` give are pictures, float32
    in 0 .. bins-1 and free of the noise of p(x|z), see `LatentModel.picture`; `sample` has it.

    Args:
      vae: a `vaes.LatentModel`.
      frame: the `Frame` between these images and those of the model.
    """

    kind = 'images'
    subject = 'vae'
    classes = None

    def __init__(self, vae, frame):
        self.vae, self.frame = vae, frame
        # Concrete, or saving would trace it anew for both questions that call it.
        self._picture = tf.function(
            lambda latents: frame.crop(vae.picture(latents))).get_concrete_function(
                self.latent_specs)

    @property
    def name(self):
        """The model's."""
        return self.vae.name

    @property
    def event_shape(self):
        """Of the images that are modelled, a list."""
        return self.vae.event_shape.as_list()

    @property
    def event_spec(self):
        """A batch of images."""
        return tf.TensorSpec([None, *self.frame.image_shape], tf.uint8)

    @property
    def latent_shapes(self):
        """The shape of each group."""
        return [shape.as_list() for shape in self.vae.latent_shapes]

    @property
    def latent_specs(self):
        """A batch of each group."""
        return [tf.TensorSpec([None, *shape], tf.float32) for shape in self.latent_shapes]

    @property
    def densities(self):
        """The question about the density."""
        return {'elbo': {'images': self.event_spec, 'seed': answers.seed_spec()}}

    @property
    def questions(self):
        """`{question: {argument: its TensorSpec}}`, in the order of the arguments."""
        return {'sample': answers.sample_specs(), **self.densities,
                'encode': {'images': self.event_spec},
                'decode': {'latents': self.latent_specs},
                'reconstruct': {'images': self.event_spec}}

    @property
    def about(self):
        """What `bundle.json` says of a VAE."""
        return {'family': 'vae', 'bins': self.vae.bins, 'image_shape': self.frame.image_shape}

    def sample(self, n, temperature=1., seed=0):
        """`n` images, uint8: draws of p(x|z) for z from the prior at the temperature."""
        n, temperature = answers.checked_draw(n, temperature)
        drawn = self.vae.sample(n, answers.pair('sample', seed), temperature)
        return tf.cast(self.frame.crop(drawn), tf.uint8)

    def elbo(self, images, seed=0):
        """A lower bound of log P(image) in nats, `[B]`, from one draw of the latents."""
        return vaes.elbo(self.vae, self._padded(images, 'elbo'), answers.pair('elbo', seed))

    def encode(self, images):
        """One tensor for each group of latents: the centre of q(z|x)."""
        return self.vae.encode(self._padded(images, 'encode'))

    def decode(self, latents):
        """The pictures of latents."""
        return self._picture(answers.checked_latents(latents, 'decode'))

    def reconstruct(self, images):
        """`decode(encode(images))`."""
        return self._picture(self.vae.encode(self._padded(images, 'reconstruct')))

    def round_trip(self, images, again):
        """`(figure, complaint)`: the mean error of reconstruction, in grey levels; nothing to say.
        """
        return float(np.mean(np.abs(again - images.astype(np.float32)))), None

    def _padded(self, images, question):
        return self.frame.pad(flow_images.checked_levels(images, self.vae.bins, question))
