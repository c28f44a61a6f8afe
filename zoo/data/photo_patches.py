"""`photo_patches`: 32x32 patches of two photographs as a TFDS builder that needs no network."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

_CITATION = """\
@misc{buechele2011photographs,
  author = {danielbuechele and vultilion},
  title = {The sample photographs china.jpg and flower.jpg of scikit-learn},
  year = {2011},
  howpublished = {Flickr 6061409035 and 6056698931},
}"""

_DESCRIPTION = """\
32x32 colour patches of the two 427x640 photographs that scikit-learn ships. Each photograph is cut
into three vertical bands, and a patch lies wholly inside one band, so no pixel of a test patch
occurs in a train or validation patch: train has columns 0..447, validation 448..511 and test
512..639. Train patches start every 8 pixels (5,300 patches, which overlap one another), the others
every 16 (150 and 350)."""

SIZE = 32
PHOTOS = ('china.jpg', 'flower.jpg')
# The first column of each split, the one after its last, and the pixels from one patch to the next.
BANDS = {'train': (0, 448, 8), 'validation': (448, 512, 16), 'test': (512, 640, 16)}


class PhotoPatches(tfds.core.GeneratorBasedBuilder):
    """Builds a data set with the features image, uint8 [32, 32, 3], and label, its photograph.

    The metadata say what a TFDS feature cannot: `bins` is the number of grey levels, and `flips`
    tells whether a mirrored image is as likely as the image.
    """

    VERSION = tfds.core.Version('1.0.0')
    RELEASE_NOTES = {'1.0.0': 'First release.'}

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=_DESCRIPTION,
            features=tfds.features.FeaturesDict({
                'image': tfds.features.Image(shape=(SIZE, SIZE, 3), dtype=np.uint8),
                'label': tfds.features.ClassLabel(names=PHOTOS),
            }),
            supervised_keys=('image', 'label'),
            homepage='https://scikit-learn.org/stable/datasets/loading_other_datasets.html',
            citation=_CITATION,
            license='Creative Commons Attribution 2.0 Generic (CC BY 2.0).',
            metadata=tfds.core.MetadataDict(bins=256, flips=True),
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[str, dict]]]:
        del dl_manager  # scikit-learn ships the photographs.
        return {split: self._generate_examples(*band) for split, band in BANDS.items()}

    def _generate_examples(self, first_column: int, end_column: int,
                           stride: int) -> Iterator[tuple[str, dict]]:
        from sklearn import datasets  # Late: this is read once only, when the set is prepared.
        for photo in PHOTOS:
            pixels = datasets.load_sample_image(photo)
            for row in range(0, pixels.shape[0] - SIZE + 1, stride):
                for column in range(first_column, end_column - SIZE + 1, stride):
                    patch = pixels[row:row + SIZE, column:column + SIZE]
                    yield f'{photo}-{row}-{column}', {'image': patch, 'label': photo}
