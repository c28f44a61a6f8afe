"""Defines what a run does after each epoch: figures, pictures, a checkpoint, checks of health."""

import os
import statistics
import time
from collections.abc import Callable
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf

from zoo.cli import errors
from zoo.runs.directory import Directory
from zoo.runs.run import Trained

# A share of the pixel range. Above it, the gradients of constant-memory training suffer.
_RECONSTRUCTION_LIMIT = 1e-3
_WARM_STEPS, _TIMED_STEPS = 10, 21  # The first steps trace graphs; the next ones are timed.


class Watch(Protocol):
    """Describes what a family of models looks at after each epoch."""

    def figures(self) -> dict[str, float]:
        """Returns further figures of the epoch."""

    def samples(self) -> Any:
        """Returns a few sampled images, float32 [N, H, W, C] in 0 .. bins-1; None for vectors."""


def for_run(trained: Trained, directory: Directory, manager: tf.train.CheckpointManager,
            watch: Watch, announce: Callable[[str], None] | None = None,
            ) -> list[keras.callbacks.Callback]:
    """Returns the callbacks of a run.

    Args:
        trained: The run, its data and the model that is trained.
        directory: The directory that keeps the run.
        manager: The manager of its checkpoints.
        watch: What the model's family looks at after each epoch.
        announce: A function that is called once, after the first steps, with the expected time of
            the run in words; None for no announcement.
    """
    callbacks = [_Health(trained.run.config), _Record(trained, directory, manager, watch)]
    return callbacks + ([_ExpectedTime(announce)] if announce else [])


class _Health(keras.callbacks.Callback):
    """Stops a run whose loss is not finite."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self._advice = 'give --clip_norm' + (
            ' or --minimum_scale' if hasattr(config, 'minimum_scale') else '')

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        loss = (logs or {}).get('loss', 0.)
        if (batch < 50 or batch % 50 == 0 or batch + 1 == self.params['steps']) and (
                not np.isfinite(loss)):
            raise errors.Failure(
                f'the loss became {loss} at step {batch}: lower --learning_rate, or '
                f'{self._advice}; the last checkpoint is kept.')


class _ExpectedTime(keras.callbacks.Callback):
    """Times a few steps, or a whole epoch if epochs are short; tells how long all will take."""

    def __init__(self, announce: Callable[[str], None]) -> None:
        super().__init__()
        self._announce, self._begin = announce, 0.
        self._epochs: list[float] = []  # The times at which they began.
        self._steps: list[float] = []  # The seconds of each.

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._epochs.append(time.monotonic())

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        self._begin = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._steps.append(time.monotonic() - self._begin)
        if len(self._steps) == _WARM_STEPS + _TIMED_STEPS:
            epochs = self.params['epochs']
            seconds = (self._epochs[-1] - self._epochs[-2]) * epochs if len(
                self._epochs) > 2 else (
                statistics.median(self._steps[_WARM_STEPS:]) * self.params['steps'] * epochs)
            self._announce(f'about {_duration(seconds)} on {_cores()} cores')


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else (
        os.cpu_count() or 1)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f'{max(1, round(seconds))} seconds'
    if seconds < 5400:
        return f'{seconds / 60:.0f} minutes'
    return f'{seconds / 3600:.1f} hours' if seconds < 172800 else f'{seconds / 86400:.0f} days'


class _Record(keras.callbacks.Callback):
    """Keeps metrics, TensorBoard scalars and images, and checkpoints."""

    def __init__(self, trained: Trained, directory: Directory,
                 manager: tf.train.CheckpointManager, watch: Watch) -> None:
        super().__init__()
        self._trained, self._watch = trained, watch
        self._directory, self._manager = directory, manager
        self._writer = tf.summary.create_file_writer(str(directory.path / 'tensorboard'))
        self._start = 0.

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._start = time.time()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        model, checkpoint = self._trained.model, self._manager.checkpoint
        checkpoint.seconds.assign_add(time.time() - self._start)
        figures = self._watch.figures()
        row = {'epoch': epoch + 1, 'step': int(model.optimizer.iterations),
               'seconds': round(float(checkpoint.seconds), 1),
               'learning_rate': float(model.optimizer.learning_rate),
               **{name: float(value) for name, value in (logs or {}).items()},
               **figures}
        self._directory.add_metrics(row)
        checkpoint.epoch.assign(epoch + 1)
        self._manager.save()  # Before anything is drawn, which a young flow may fail to.
        self._warn(figures.get('reconstruction_error'))
        with self._writer.as_default(step=epoch + 1):
            for name, value in row.items():
                tf.summary.scalar(name, value)
            self._draw_samples()
        self._writer.flush()

    def _draw_samples(self) -> None:
        try:
            samples = self._watch.samples()
        except tf.errors.InvalidArgumentError as error:
            print(f'\nwarning: no samples are drawn after this epoch: {error.message[:200]}')
            return
        if samples is not None:
            pictures = self._trained.data.crop(samples) / (self._trained.model.bins - 1)
            tf.summary.image('samples', pictures, max_outputs=16)

    def _warn(self, error: float | None) -> None:
        reversible = getattr(self._trained.run.config, 'reversible', False)
        if reversible and error is not None and not error <= _RECONSTRUCTION_LIMIT:
            print(f'\nwarning: the round trip of validation images errs by {error:.1e} of the '
                  f'pixel range; raise --minimum_scale or give --noreversible.')
