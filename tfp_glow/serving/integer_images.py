"""`IntegerImageAnswers`: a discrete flow as a model of integer images."""

import math

import tensorflow as tf

from tfp_glow import dequantization
from tfp_glow.distributions import with_temperature
from tfp_glow.serving import answers, images


class IntegerImageAnswers(images.ImageAnswers):
    """`Answers` about uint8 images from an `IntegerFlow`: densities are masses, without noise.

    `encode` and `decode` are between images and integers held as floats, bit for bit. Nothing
    interpolates: what lies between two integers is none of the flow's latents.
    """

    @property
    def densities(self):
        """The questions about the mass."""
        specs = {'images': self.event_spec}
        return {'log_prob': specs, 'bits_per_dim': specs}

    @property
    def questions(self):
        """`{question: {argument: its TensorSpec}}`, in the order of the arguments."""
        return {name: specs for name, specs in super().questions.items() if name != 'interpolate'}

    def sample(self, n, temperature=1., seed=0):
        """`n` images; the same ones for the same seed, which is one integer or two."""
        with tf.control_dependencies([
                answers.check(n > 0, 'sample: n must be at least 1; got', n),
                answers.check(
                    (temperature >= 0) & tf.math.is_finite(temperature),
                    'sample: temperature must be finite and at least 0; got', temperature)]):
            n, temperature = tf.identity(n), tf.identity(temperature)
        tempered = with_temperature(self.flow, temperature)
        return self._made(tempered.sample(n, seed=answers.pair('sample', seed)))

    def log_prob(self, images):
        """log P(image) in nats, `[B]`: exact; of the padded image where there is a frame."""
        return self._log_mass(images, 'log_prob')

    def bits_per_dim(self, images):
        """-log2 P(image) over the numbers in an original image, `[B]`."""
        return -self._log_mass(images, 'bits_per_dim') / (self._counted * math.log(2))

    def _log_mass(self, images, question):
        return self._analyse(self._data(images, question))[0]

    def _data(self, events, question):
        return tf.cast(self._padded(events, question), self.flow.dtype)

    def _made(self, data):
        return self.frame.crop(dequantization.to_levels(data, self.bins))
