"""Figures, pictures and diagnosis of VAEs."""

import math
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from zoo.evaluation import metrics, posterior_collapse
from zoo.evaluation.family import Family
from zoo.pictures import grids
from zoo.runs.run import Trained

_BATCH = 100  # Images whose importance-weighted bound is computed at once.
_RECONSTRUCTED = 32  # Test images in the picture of reconstructions.
_WATCHED = 16  # The number of pictures that are looked at after each epoch.


class Vae(Family):
    """A VAE: the figures are bounds of its likelihood."""

    name = 'VAE'
    default_temperature = 1.
    diagnosed_examples = 1000
    least_diagnosed_examples = 2

    @property
    def estimate(self) -> str:
        """What the trained weights are, in words."""
        return 'maximum of the ELBO'

    def figures(self, split: str, draws: int = 1, limit: int | None = None,
                importance_samples: int | None = None) -> dict[str, Any]:
        """Returns the ELBO and, if asked for, the importance-weighted bound.

        `nats` is what -log p(x) of an image is at most, on average. `standard_error` is that of
        `bits_per_dim`, and `nats_standard_error` that of `nats`, both over images.
        """
        dims = self.data.dims
        mean, error, count = metrics.bits_per_dim(self.model, self.data, split, draws, limit=limit)
        figures = {'split': self.data.splits[split], 'dims': dims, **_in_both(mean, error, dims),
                   'images': count, 'draws': draws}
        if importance_samples is not None:
            nats = importance_nats(self.trained, split, limit, importance_samples)
            bits = nats / _nats_per_bit(dims)
            error = bits.std(ddof=1) / math.sqrt(len(bits))
            figures['importance'] = {'samples': importance_samples,
                                     **_in_both(bits.mean(), error, dims)}
        return figures

    def format_figures(self, figures: dict[str, Any]) -> str:
        """Returns what `figures` returned in one line."""
        text = _format_bound('ELBO', figures)
        if 'importance' in figures:
            bound = figures['importance']
            text += _format_bound(f'; importance bound of {bound["samples"]} samples', bound)
        return (f'{text} (standard errors over {figures["images"]} images of {figures["split"]}; '
                f'{figures["dims"]} dims each; {figures["draws"]} draws of the latents for the '
                'ELBO)')

    def draw_samples(self, count: int, temperature: float, path: str | os.PathLike) -> None:
        """Writes a grid of the pictures that latents from the prior give."""
        with self.trained.averaged_weights() as vae:
            samples = vae.sample(count, [0, self.run.training.seed], temperature, mean=True)
        grids.save_grid(grids.greys(self.data.crop(samples), self.model.bins), path)

    def draw_more(self, folder: pathlib.Path) -> None:
        """Writes reconstructions.png: test images, each with its reconstruction to the right."""
        images = self.data.take('test', min(_RECONSTRUCTED, self.data.sizes['test']))
        with self.trained.averaged_weights() as vae:
            pairs = np.stack([images, vae.reconstruct(images)], axis=1)
        pairs = self.data.crop(pairs.reshape(-1, *self.data.image_shape))
        grids.save_grid(grids.greys(pairs, self.model.bins), folder / 'reconstructions.png',
                        columns=8)

    def watch(self) -> '_Watch':
        """Returns the pictures that latents from the prior give."""
        return _Watch(self.trained)

    def diagnose(self, split: str, count: int, draws: int) -> tuple[str, dict[str, Any]]:
        """Returns the report on posterior collapse for the averaged weights."""
        images, _ = self.trained.examples(split, count)
        with self.trained.averaged_weights():
            report = posterior_collapse.report(self.model.vae, images, draws)
        return posterior_collapse.text(report), report

    def refusals(self) -> dict[str, str]:
        """Returns the flags that only flows use."""
        return {'round_trip_images': f'for --model={self.run.model}, which has no round trip'}


def importance_nats(trained: Trained, split: str, limit: int | None, samples: int) -> np.ndarray:
    """Returns the importance-weighted bound of each image, [N]: what -log p(x) is at most, in nats.

    Args:
        trained: The VAE.
        split: 'train', 'validation' or 'test'.
        limit: The number of images, the first of the split; None for all.
        samples: The number of samples of the bound.
    """
    bits = np.concatenate(list(_importance_bits(trained, split, limit, samples)))
    return bits * _nats_per_bit(trained.data.dims)


def _importance_bits(trained: Trained, split: str, limit: int | None,
                     samples: int) -> Iterator[np.ndarray]:
    model = trained.model

    @tf.function(reduce_retracing=True, autograph=False)
    def bits(batch: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        return model.objective.bits(model.objective.importance_bound(batch, seed, samples))
    with trained.averaged_weights():
        for index, batch in enumerate(trained.data.evaluation(split, _BATCH, limit=limit)):
            yield bits(batch, tf.constant([index, 7918])).numpy()


class _Watch:
    """The pictures that latents from a VAE's prior give."""

    def __init__(self, trained: Trained) -> None:
        self._trained, vae = trained, trained.model.vae
        self._sample = tf.function(lambda: vae.sample(_WATCHED, [0, 1], mean=True), autograph=False)
        self._probe, _ = trained.examples(
            'validation', min(_WATCHED, trained.data.sizes['validation']))
        self._encode = tf.function(vae.encode, autograph=False)

    def figures(self) -> dict[str, float]:
        """Returns no further figures."""
        return {}

    def latents(self) -> dict[str, tf.Tensor]:
        """Returns the latents of validation images by layer, with the averaged weights."""
        with self._trained.averaged_weights():
            return {f'layer_{i}': z for i, z in enumerate(self._encode(self._probe))}

    def samples(self) -> tf.Tensor:
        """Returns the pictures, with the averaged weights."""
        with self._trained.averaged_weights():
            return self._sample()


def _nats_per_bit(dims: int) -> float:
    """Returns the nats of an image for each bit/dim."""
    return dims * math.log(2)


def _in_both(bits: float, error: float, dims: int) -> dict[str, float]:
    """Returns a figure and its standard error in bits/dim and in nats."""
    unit = _nats_per_bit(dims)
    return {'bits_per_dim': float(bits), 'standard_error': float(error),
            'nats': float(bits * unit), 'nats_standard_error': float(error * unit)}


def _format_bound(name: str, bound: dict[str, float]) -> str:
    return (f'{name} {bound["nats"]:.2f} +- {bound["nats_standard_error"]:.2f} nats, '
            f'{bound["bits_per_dim"]:.4f} +- {bound["standard_error"]:.4f} bits/dim')
