"""`FlowImages` and `VaeImages`: convert images to data of a model, and these to pictures."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from zoo.cli import errors
from zoo.data.image_data import ImageData
from zoo.pictures import grids
from zoo.runs.run import Trained


@dataclasses.dataclass(frozen=True)
class FlowImages:
    """Images of a trained flow and its data.

    Attributes:
        trained: The run, its data and its model.
        seed: The seed of dequantization and of all that a tool draws.
    """

    trained: Trained
    seed: int

    @property
    def data(self) -> ImageData:
        """The `ImageData` that the model was trained on."""
        return self.trained.data

    @property
    def model(self) -> Any:
        """The `FlowModel` or `VAEModel`."""
        return self.trained.model

    @property
    def flow(self) -> Any:
        """The flow of the model."""
        return self.model.flow

    def read(self, numbers: Sequence[int], files: Sequence[str]) -> tf.Tensor:
        """Returns test images and those of PNG files as data of the model.

        Args:
            numbers: The numbers of the test images, from 0.
            files: The paths of the PNG files.

        Raises:
            UsageError: If there is no image, a number is that of no test image, or a file is no PNG
                of the size of the data.
        """
        if not numbers and not files:
            raise errors.UsageError('--images must hold at least one, or give --image_file.')
        size = self.data.sizes['test']
        for number in numbers:
            if not 0 <= number < size:
                raise errors.UsageError(f'--images must be in 0 .. {size - 1}, the test images; '
                                        f'got {number}.')
        images = list(self.data.take('test', max(numbers) + 1)[list(numbers)]) if numbers else []
        for file in files:
            try:
                image = grids.read_png(file, self.data.original_shape, self.data.original_bins)
            except ValueError as error:
                raise errors.UsageError(f'--image_file {error}') from error
            images.append(self.data.keep_bits(self._padded(image)))
        return self._to_data(np.stack(images))

    def class_batches(self, label: int | None, flag: str, limit: int) -> Iterator[tf.Tensor]:
        """Returns the first training images of a class, in batches of data of the model.

        Args:
            label: The number of the class.
            flag: The flag that names it, for errors.
            limit: The largest number of images.

        Raises:
            UsageError: If the data have no such class; the message names `flag`.
        """
        classes = self.data.num_classes
        if not classes or label is None or not 0 <= label < classes:
            raise errors.UsageError(
                f'--{flag} must be in 0 .. {classes - 1}; got {label}.' if classes else
                f'--{flag} needs a data set with classes; {self.data.name} has none.')
        images = self.data.evaluation('train', 250, labels=True).unbatch().filter(
            lambda image, own: tf.equal(tf.cast(own, tf.int64), label))
        images = images.map(lambda image, own: image).take(limit).batch(250)
        return map(self._to_data, images)

    @property
    def picture_bins(self) -> int:
        """The number of grey levels of `pictures`."""
        return self.model.bins

    def pictures(self, data: Any) -> np.ndarray:
        """Returns data of the flow as integer images, without padding.

        Raises:
            Failure: If one is not finite.
        """
        if not np.all(np.isfinite(data)):
            raise errors.Failure('the flow gave no finite image; smaller steps from the images\' '
                                 'own latents may help.')
        return self.data.crop(self.model.to_images(data).numpy())

    def _to_data(self, images: Any) -> tf.Tensor:
        return self.model.to_data(images, [0, self.seed])

    def _padded(self, image: np.ndarray) -> np.ndarray:
        extra = [a - b for a, b in zip(self.data.image_shape, image.shape)]
        return np.pad(image, [(e // 2, e - e // 2) for e in extra], mode='edge')


class VaeImages(FlowImages):
    """Images of a trained VAE and its data: integers, as floats."""

    picture_bins = 256  # Even for images in black and white, whose mean is grey.

    @property
    def vae(self) -> Any:
        """The VAE of the model."""
        return self.model.vae

    def pictures(self, data: Any) -> np.ndarray:
        """Returns pictures as 256 levels of grey, without padding."""
        return grids.greys(self.data.crop(data), self.model.bins)

    def decoded(self, latents: Sequence[tf.Tensor]) -> tf.Tensor:
        """Returns rows of images, [B, T, H, W, C], from latents [B, T, *shape] of each group."""
        rows, columns = latents[0].shape[:2]
        flat = [tf.reshape(tf.cast(z, tf.float32), [rows * columns, *z.shape[2:]])
                for z in latents]
        return tf.reshape(self.vae.picture(flat), [rows, columns, *self.data.image_shape])

    def _to_data(self, images: Any) -> tf.Tensor:
        return tf.cast(images, tf.float32)
