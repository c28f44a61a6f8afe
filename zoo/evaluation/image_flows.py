"""Figures, pictures and diagnosis of flows of images."""

import os
from typing import Any

import numpy as np
import tensorflow as tf

import tfp_glow
from zoo.evaluation import metrics
from zoo.evaluation.family import Family
from zoo.pictures import grids
from zoo.runs.run import Trained

_NOISE_SEED = (0, 0)  # Of the dequantization noise in a diagnosis.
_WATCHED = 16  # The number of images that are looked at after each epoch.


class ImageFlow(Family):
    """A flow of images, dequantized: bits/dim is an upper bound, estimated with noise."""

    @property
    def estimate(self) -> str:
        """What the trained weights are, in words."""
        return 'maximum a posteriori' if self.run.training.weight_prior else super().estimate

    def figures(self, split: str, draws: int = 1, limit: int | None = None,
                importance_samples: int | None = None) -> dict[str, Any]:
        """Returns bits/dim with its standard error over images."""
        mean, error, count = metrics.bits_per_dim(self.model, self.data, split, draws, limit=limit)
        return {'split': self.data.splits[split], 'dims': self.data.dims,
                'bits_per_dim': float(mean), 'standard_error': float(error), 'images': count,
                'draws': draws}

    def format_figures(self, figures: dict[str, Any]) -> str:
        """Returns what `figures` returned in one line."""
        draws = figures['draws']
        noise = f'{draws} noise draw{"s" if draws > 1 else ""}' if draws else 'exact'
        return (f'bits/dim {figures["bits_per_dim"]:.4f} +- {figures["standard_error"]:.4f} '
                f'(standard error over {figures["images"]} images of {figures["split"]}; '
                f'{figures["dims"]} dims each; {noise})')

    def draw_samples(self, count: int, temperature: float, path: str | os.PathLike) -> None:
        """Writes a grid of samples; if the model is given labels, one class after the other."""
        with self.trained.averaged_weights() as flow:
            samples = tfp_glow.with_temperature(flow, temperature).sample(
                count, seed=[0, self.run.training.seed], **_labels(self.trained, count))
        grids.save_grid(self.data.crop(self.model.to_images(samples).numpy()), path,
                        self.model.bins)

    def watch(self) -> 'FlowWatch':
        """Returns the round trip of validation images, and samples."""
        return FlowWatch(self.trained)

    def diagnose(self, split: str, count: int, draws: int) -> tuple[str, dict[str, Any]]:
        """Returns the table of `tfp_glow.diagnose` for the averaged weights."""
        del draws
        images, labels = self.trained.examples(split, count)
        with self.trained.averaged_weights():
            diagnosis = tfp_glow.diagnose(
                self.model.flow, self.model.to_data(images, _NOISE_SEED), labels)
        return str(diagnosis), diagnosis.to_dict()

    def round_trips(self, split: str, count: int) -> dict[str, float | None]:
        """Returns the largest errors on test images, noise and constant images."""
        images, labels = self.trained.examples(split, count)
        return metrics.round_trip_errors(
            self.model, metrics.with_strange_images(images, self.model.bins), labels)

    def refusals(self) -> dict[str, str]:
        """Returns the flags that only other models use."""
        return {'importance_samples': f'for --model={self.run.model}, whose likelihood is exact'}


class FlowWatch:
    """Looks, after each epoch, at the round trip of validation images and at samples.

    Args:
        trained: The run, its data and its model.
    """

    def __init__(self, trained: Trained) -> None:
        model, data = trained.model, trained.data
        self._trained = trained
        self._probe = trained.examples('validation', min(_WATCHED, data.sizes['validation']))
        self._round_trip = metrics.RoundTrip(model)
        tempered = tfp_glow.with_temperature(model.flow, ImageFlow.default_temperature)
        labels = _labels(trained, _WATCHED)
        self._sample = tf.function(lambda: tempered.sample(_WATCHED, seed=[0, 1], **labels),
                                   autograph=False)

    def figures(self) -> dict[str, float]:
        """Returns the largest error of the round trip."""
        return {'reconstruction_error': self._round_trip.error(*self._probe)}

    def latents(self) -> dict[str, np.ndarray]:
        """Returns the latents of the images that `figures` looked at, by level."""
        return {f'level_{i}': z for i, z in enumerate(tf.nest.flatten(self._round_trip.latents))}

    def samples(self) -> tf.Tensor | None:
        """Returns sampled images as float32."""
        with self._trained.averaged_weights():
            samples = self._sample()
        return tf.cast(self._trained.model.to_images(samples), tf.float32)


def _labels(trained: Trained, count: int) -> dict[str, np.ndarray]:
    """Returns the condition of `count` samples as a keyword argument, if the model takes one."""
    if trained.classes is None:
        return {}
    return {'condition': np.arange(count, dtype=np.int32) % trained.classes}
