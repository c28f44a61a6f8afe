"""What `zoo.latents` does with a trained model: each tool gives rows of images, `[B, T, H, W, C]`.

A tool is called as `tool(subject, images, options)`, the options being the program's flags.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

import tfp_glow
from tfp_glow import editing
from zoo import data as zoo_data
from zoo.cli import errors
from zoo.pictures import grids


@dataclasses.dataclass(frozen=True)
class Subject:
    """A trained model and its data: what the tools work on.

    `prepare` brings integer images of the data set to those of the model; `seed` is that of
    dequantization and of all that a tool draws.
    """

    prepare: Callable
    data: zoo_data.ImageData
    model: tfp_glow.FlowModel
    seed: int

    @property
    def flow(self):
        """The flow of the model."""
        return self.model.flow

    def images(self, numbers, files):
        """The test images of these numbers and those of the PNG files as data of the flow."""
        if not numbers and not files:
            raise errors.UsageError('--images must hold at least one, or give --image_file.')
        size = self.data.sizes['test']
        for number in numbers:
            if not 0 <= number < size:
                raise errors.UsageError(f'--images must be in 0 .. {size - 1}, the test images; '
                                        f'got {number}.')
        found = list(self.data.take('test', max(numbers) + 1)[list(numbers)]) if numbers else []
        for file in files:
            try:
                image = grids.read_png(file, self.data.original_shape, self.data.bins)
            except ValueError as error:
                raise errors.UsageError(f'--image_file {error}') from error
            found.append(self._padded(image))
        return self._to_data(np.stack(found))

    def class_batches(self, label, flag, limit):
        """The first `limit` training images of a class, in batches of data of the flow."""
        classes = self.data.num_classes
        if not classes or not 0 <= label < classes:
            raise errors.UsageError(
                f'--{flag} must be in 0 .. {classes - 1}; got {label}.' if classes else
                f'--{flag} needs a data set with classes; {self.data.name} has none.')
        images = self.data.evaluation('train', 250, labels=True).unbatch().filter(
            lambda image, found: tf.equal(tf.cast(found, tf.int64), label))
        images = images.map(lambda image, found: image).take(limit).batch(250)
        return map(self._to_data, images)

    @property
    def picture_bins(self):
        """Grey levels of `pictures`."""
        return self.model.bins

    def pictures(self, data):
        """Data of the flow as integer images, without padding; one that is not finite is refused.
        """
        if not np.all(np.isfinite(data)):
            raise errors.Failure('the flow gave no finite image; smaller steps from the images\' '
                                 'own latents may help.')
        return self.data.crop(self.model.to_images(data).numpy())

    def _to_data(self, images):
        return self.model.to_data(self.prepare(images), [0, self.seed])

    def _padded(self, image):
        extra = [a - b for a, b in zip(self.data.image_shape, image.shape)]
        return np.pad(image, [(e // 2, e - e // 2) for e in extra], mode='edge')


def interpolate(subject, images, options):
    """From each image to the next."""
    if len(images) < 2:
        raise errors.UsageError('--images must hold at least two to interpolate between; got one.')
    return editing.interpolate(subject.flow, images[:-1], images[1:], options.steps,
                               options.spherical)


def traverse(subject, images, options):
    """One entry of one latent over a range of values."""
    level = _levels(subject) - 1 if options.level is None else options.level
    reach = 3. if options.strength is None else options.strength
    return editing.traverse(subject.flow, images, level, options.index,
                            np.linspace(-reach, reach, options.steps))


def resample(subject, images, options):
    """The images; then with each level drawn anew, or several draws of one."""
    if options.level is None:
        draws = [(level, 0) for level in range(_levels(subject))]
    else:
        draws = [(options.level, i) for i in range(options.steps - 1)]
    return _beside(images, *[
        editing.resample(subject.flow, images, level, [subject.seed, i], options.temperature)
        for level, i in draws])


def temperature(subject, images, options):
    """The same samples at several temperatures."""
    del images
    return editing.temperature_sweep(
        subject.flow, [float(t) for t in options.temperatures], options.num, [subject.seed, 0])


def attribute(subject, images, options):
    """The images with more and more of what one class has and another has not."""
    direction = editing.attribute_direction(
        subject.flow, subject.class_batches(options.positive, 'positive', options.class_images),
        subject.class_batches(options.negative, 'negative', options.class_images))
    strength = 1. if options.strength is None else options.strength
    return editing.edit(subject.flow, images, direction, np.linspace(0, strength, options.steps))


def reconstruct(subject, images, options):
    """The images; then from more and more of their latents, the coarsest first."""
    del options
    count = _levels(subject)
    return _beside(images, *[
        editing.reconstruct(subject.flow, images, range(count - kept, count))
        for kept in range(count + 1)])


def inpaint(subject, images, options):
    """The images; what is known of them; the way to the result."""
    mask = hidden(options.mask, subject.data)
    filled = editing.inpaint(
        subject.flow, images, mask, options.ascent_steps, options.step_size, [subject.seed, 0],
        frames=min(options.steps, options.ascent_steps))
    return tf.concat([_beside(images, tf.where(mask, 0., images)), filled.frames], 1)


def hidden(part, data):
    """Booleans `[H, W, 1]` over the padded image: True in this part of the original one.

    Padding beside a hidden pixel repeats it, so it is hidden as well.
    """
    height, width = data.original_shape[:2]
    rows, columns = np.arange(height)[:, None], np.arange(width)
    mask = {'top': rows < height // 2, 'bottom': rows >= height // 2,
            'left': columns < width // 2, 'right': columns >= width // 2,
            'middle': ((abs(2 * rows + 1 - height) <= height // 2)
                       & (abs(2 * columns + 1 - width) <= width // 2))}[part]
    extra = [a - b for a, b in zip(data.image_shape, (height, width))]
    return np.pad(np.broadcast_to(mask, (height, width)),
                  [(e // 2, e - e // 2) for e in extra], mode='edge')[..., np.newaxis]


def _levels(subject):
    return len(tf.nest.flatten(subject.flow.bijector.inverse_event_shape(
        subject.data.image_shape)))


def _beside(*columns):
    return tf.stack(columns, 1)
