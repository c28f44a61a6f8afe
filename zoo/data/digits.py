"""`digits`: scikit-learn's 8x8 handwritten digits as a TFDS builder that needs no network."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

_CITATION = """\
@misc{alpaydin1998optical,
  author = {Alpaydin, E. and Kaynak, C.},
  title = {Optical Recognition of Handwritten Digits},
  year = {1998},
  publisher = {UCI Machine Learning Repository},
  doi = {10.24432/C50P49},
}"""

_DESCRIPTION = """\
1,797 handwritten digits of 8x8 pixels with the 17 grey levels 0..16, from the copy of UCI's
optdigits test set that scikit-learn ships. The splits are contiguous in the file's order: the
first 1,437 digits train, the next 180 validate, the last 180 test."""

# The first image of each split and the one after its last, in the file's order.
RANGES = {'train': (0, 1437), 'validation': (1437, 1617), 'test': (1617, 1797)}


class Digits(tfds.core.GeneratorBasedBuilder):
    """Builds a data set with the features image, uint8 [8, 8, 1] of values 0..16, and label, 0..9.

    The metadata say what a TFDS feature cannot: `bins` is the number of grey levels, and `flips`
    tells whether a mirrored image is as likely as the image (a mirrored digit is not).
    """

    VERSION = tfds.core.Version('1.0.0')
    RELEASE_NOTES = {'1.0.0': 'First release.'}

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=_DESCRIPTION,
            features=tfds.features.FeaturesDict({
                'image': tfds.features.Image(shape=(8, 8, 1), dtype=np.uint8),
                'label': tfds.features.ClassLabel(num_classes=10),
            }),
            supervised_keys=('image', 'label'),
            homepage='https://archive.ics.uci.edu/dataset/80',
            citation=_CITATION,
            license='Creative Commons Attribution 4.0 International (CC BY 4.0), UCI.',
            metadata=tfds.core.MetadataDict(bins=17, flips=False),
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[int, dict]]]:
        del dl_manager  # scikit-learn ships the file.
        return {split: self._generate_examples(*ends) for split, ends in RANGES.items()}

    def _generate_examples(self, start: int, stop: int) -> Iterator[tuple[int, dict]]:
        from sklearn import datasets  # Late: this is read once only, when the set is prepared.
        source = datasets.load_digits()
        images = source.images.astype(np.uint8)[..., np.newaxis]
        for i in range(start, stop):
            yield i, {'image': images[i], 'label': int(source.target[i])}
