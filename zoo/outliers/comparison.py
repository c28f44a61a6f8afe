"""The images that a model is compared on: its own, those of other data sets, and synthetic ones."""

import contextlib
import dataclasses
import pathlib
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from zoo import data as zoo_data
from zoo.cli import errors
from zoo.data import synthetic
from zoo.models import recipe
from zoo.models.spec import Kind
from zoo.outliers.likelihoods import ImageLikelihood
from zoo.runs import opening, preset_folder
from zoo.runs.run import Run, Trained


def check_model(trained: Trained, flag: str, least: int) -> None:
    """Checks that a model is a flow of images whose data have enough of them.

    Args:
        trained: The model.
        flag: The flag that names it.
        least: The number of images that each split of its data must have.

    Raises:
        UsageError: If it is not; the message names `flag`.
    """
    _check_flow(trained, flag)
    if trained.kind is Kind.VECTOR_FLOW or min(trained.data.sizes.values()) < least:
        raise errors.UsageError(f'--{flag} must be of a model of images, {least} or more a split; '
                                f'it is one of {trained.data.describe()}')


def open_background(trained: Trained, source: str, data_dir: str | None) -> ImageLikelihood:
    """Returns the likelihood of images under a background model.

    Args:
        trained: The model that it is compared with.
        source: The name or folder of a preset, or a run directory.
        data_dir: The folder where TFDS keeps the data sets.

    Raises:
        UsageError: If the background model is no flow of the same images.
    """
    path = pathlib.Path(source)
    of_run = path.is_dir() and not (path / preset_folder.SUMS).exists()
    with _naming('background'):
        other = opening.open_run_or_preset(source if of_run else None,
                                           None if of_run else source, data_dir)
    _check_flow(other, 'background')
    own, its = ((t.model.bins, tuple(t.model.flow.event_shape)) for t in (trained, other))
    if own != its:
        raise errors.UsageError(f'--background must be a model of {own[0]} levels and images '
                                f'{own[1]}; {source!r} is one of {its}.')
    other.model.towers = trained.model.towers
    return ImageLikelihood(other.model, other.classes)


def own_images(trained: Trained, limit: int) -> dict[str, np.ndarray]:
    """Returns at most `limit` images of each split, by the name of the split."""
    sizes = trained.data.sizes
    return {split: trained.data.take(split, min(limit, sizes[split]))
            for split in ('train', 'validation', 'test')}


def other_images(trained: Trained, name: str, own: np.ndarray, limit: int, least: int,
                 data_dir: str | None) -> np.ndarray:
    """Returns test images of another data set, or synthetic ones, as the model takes them.

    Args:
        trained: The model.
        name: The name of a data set, or a kind in `synthetic.KINDS`.
        own: Test images of the model's data, from which synthetic ones are made.
        limit: The largest number of images that are returned.
        least: The smallest number of images that are needed.
        data_dir: The folder where TFDS keeps the data sets.

    Raises:
        UsageError: If the images have another size or other levels, or are too few.
    """
    if name in synthetic.KINDS:
        return synthetic.make(name, own, trained.model.bins)
    run, data = trained.run, trained.data
    if name == run.dataset:
        raise errors.UsageError('--against must name other data than those of the model; '
                                f'got {name!r}.')
    with _naming('against'):
        like = _with_data(run, data, name)
        # Without padding, so that other sizes are told from each other.
        other = (like.load_data(data_dir) if zoo_data.is_folder(name) else zoo_data.load(
            name, data_dir or run.data_dir, binarize=run.training.binarize))
        wanted, got = ((d.original_shape, d.original_bins) for d in (data, other))
        if wanted != got:
            raise errors.UsageError(
                f'--against must name images like those of {data.name}, {_size(*wanted)}; '
                f'{name} has {_size(*got)}.')
        if other.sizes['test'] < least:
            raise errors.UsageError(f'--against must name data with {least} test images or '
                                    f'more; {name} has {other.sizes["test"]}.')
        other = like.load_data(data_dir)  # Which pads.
        return other.take('test', min(limit, other.sizes['test']))


def _with_data(run: Run, data: Any, name: str) -> Run:
    """Returns a run of other data, whose pictures become images like those of `data`."""
    plain = recipe.Training()
    options = {field: getattr(plain, field) for field in recipe.PICTURE_FIELDS}
    if zoo_data.is_folder(name):
        if zoo_data.is_folder(run.dataset):
            options = {field: getattr(run.training, field) for field in recipe.PICTURE_FIELDS}
        height, width, channels = data.original_shape
        options |= {'channels': str(channels), **({'size': height} if height == width else {})}
    return dataclasses.replace(run, dataset=name, folder=None, training=dataclasses.replace(
        run.training, **options))


def _check_flow(trained: Trained, flag: str) -> None:
    if trained.kind is Kind.VAE:
        raise errors.UsageError(f'--{flag} must be of a flow; {trained.run.model} is a VAE.')


def _size(shape: tuple[int, ...], bins: int) -> str:
    return f'{"x".join(map(str, shape))} with {bins} levels'


@contextlib.contextmanager
def _naming(flag: str) -> Iterator[None]:
    """Turns an error about a data set, a preset or a run into one about the flag."""
    try:
        yield
    except errors.UsageError as error:
        raise errors.UsageError(
            re.sub(r'^(--dataset|--workdir|(--)?preset)\b', f'--{flag}', str(error))) from None
