"""`IntegerImageAnswers`, a discrete flow as a model of integer images."""

import math

import tensorflow as tf

from tfp_glow import dequantization
from tfp_glow.distributions import with_temperature
from tfp_glow.serving import answers, images
from tfp_glow.types import Seed, TensorLike


class IntegerImageAnswers(images.FramedAnswers):
    """`Answers` about uint8 images from an `IntegerFlow`.

    Densities are masses, without noise. `encode` and `decode` are between images and integers held
    as floats, bit for bit. There is no interpolation: what lies between two integers is no latent
    of the flow. No question has a label, as an `IntegerFlow` takes no condition.
    """

    @property
    def densities(self) -> dict[str, answers.Specs]:
        """The questions about the mass."""
        specs = {'images': self.event_spec}
        return {'log_prob': specs, 'bits_per_dim': specs}

    @property
    def questions(self) -> dict[str, answers.Specs]:
        """All questions, `{question: {argument: its TensorSpec}}`, in the order of the arguments.
        """
        return {name: specs for name, specs in super().questions.items() if name != 'interpolate'}

    def sample(self, n: TensorLike, temperature: TensorLike = 1., seed: Seed = 0,
               label: None = None) -> tf.Tensor:
        """Returns `n` images: the same ones for the same seed, which is one integer or two."""
        n, temperature = answers.checked_draw(n, temperature)
        tempered = with_temperature(self.flow, temperature)
        return self._made(tempered.sample(n, seed=answers.pair('sample', seed)))

    def log_prob(self, images: tf.Tensor) -> tf.Tensor:
        """Returns log P(image) in nats, `[B]`, exactly.

        Where there is a frame, this is of the padded image.
        """
        return self._log_mass(images, 'log_prob')

    def bits_per_dim(self, images: tf.Tensor) -> tf.Tensor:
        """Returns -log2 P(image) over the numbers in an original image, `[B]`."""
        return -self._log_mass(images, 'bits_per_dim') / (self._counted * math.log(2))

    def _log_mass(self, images: tf.Tensor, question: str) -> tf.Tensor:
        return self._analyse(self._data(images, question))[0]

    def _data(self, events: tf.Tensor, question: str) -> tf.Tensor:
        return tf.cast(self._padded(events, question), self.flow.dtype)

    def _made(self, data: tf.Tensor) -> tf.Tensor:
        return self.frame.crop(dequantization.to_levels(data, self.bins))
