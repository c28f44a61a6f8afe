"""Defines a small data set of TensorFlow Datasets without labels."""

import numpy as np
import tensorflow_datasets as tfds


class TinyScenes(tfds.core.GeneratorBasedBuilder):
    """40 noise images of 6x10x3 without labels, in a train split only."""

    VERSION = tfds.core.Version('1.0.0')

    def _info(self):
        image = tfds.features.Image(shape=(6, 10, 3), dtype=np.uint8)
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict({'picture': image}))

    def _split_generators(self, dl_manager):
        return {'train': self._generate_examples()}

    def _generate_examples(self):
        for i in range(40):
            noise = np.random.default_rng(i).integers(0, 256, [6, 10, 3], np.uint8)
            yield i, {'picture': noise}
