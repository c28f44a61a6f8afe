"""`Training`: trains a run from the state that it is in, and keeps it so that it cannot be lost."""

import time
from collections.abc import Iterator
from typing import Any, Protocol

import tensorflow as tf

from zoo.cli import errors
from zoo.runs import optimizer, settings, snapshot
from zoo.runs.checkpoints import Arrays
from zoo.runs.devices import Devices
from zoo.runs.directory import Directory
from zoo.runs.event_files import EventFiles
from zoo.runs.progress import Progress
from zoo.runs.run import Trained
from zoo.runs.signals import Stop, Stopped
from zoo.runs.state import State

_MOST_HALVINGS = 3
_VALIDATION_BATCH = 250
# A share of the pixel range. Above it, the gradients of constant-memory training suffer.
_RECONSTRUCTION_LIMIT = 1e-3


class Watch(Protocol):
    """Describes what a family of models looks at after each epoch."""

    def figures(self) -> dict[str, float]:
        """Returns further figures of the epoch."""

    def samples(self) -> Any:
        """Returns a few sampled images, float32 [N, H, W, C] in 0 .. bins-1; None for vectors."""

    def latents(self) -> dict[str, Any]:
        """Returns the latents of a few validation examples by level."""


class Training:
    """A training that goes on from the state that it is in.

    Args:
        trained: The run, its data and its model, which is compiled.
        devices: Where the model is.
        directory: The directory of the run, which this process owns.
        watch: What the model's family looks at after each epoch.
        stop: What waits for signals.
        progress: What says how far the training is.
        state: How far it is.
    """

    def __init__(self, trained: Trained, devices: Devices, directory: Directory, watch: Watch,
                 stop: Stop, progress: Progress, state: State) -> None:
        self.state = state
        self._trained, self._devices, self._directory = trained, devices, directory
        self._run, self._model = trained.run, trained.model
        self._watch, self._stop, self._progress = watch, stop, progress
        self._checkpoints = directory.checkpoints(self._run.settings.keep)
        self._every = settings.interval(self._run.settings.save_every)
        self._steps = trained.data.steps_per_epoch(self._run.training.batch_size)
        model = self._model
        self._step = devices.step(model, model.train_step, lambda: model.unapplied_in_row)
        self._test = devices.step(model, model.test_step, lambda: model.batches_seen)
        self._validation = devices.distributed(trained.data.evaluation(
            'validation', _VALIDATION_BATCH, labels=self._run.conditional))
        self._begin = time.monotonic() - state.seconds
        self._saved_at = (state.step, time.monotonic())
        self._unapplied = int(model.unapplied_steps.numpy())
        self._events: EventFiles | None = None
        self._returned_to: int | None = None  # The step of the checkpoint that it went back to.

    def go_on(self, last: int) -> None:
        """Trains until so many epochs are done, or until the figures no longer improve.

        Raises:
            Stopped: If a signal came. The state is then kept.
            Failure: If the loss stays not finite, or if no checkpoint can be written.
        """
        with self._stop.deferred():
            if not self.state.step:
                self._save()
            if self._devices.is_chief:
                self._directory.write_metrics(self.state)
            if self.state.epoch >= last or self.has_stopped_early:
                return
            if self._devices.is_chief:
                self._events = EventFiles(self._directory.path / 'tensorboard', self.state.epoch)
            batches = self._batches()
            while self.state.epoch < last and not self.has_stopped_early:
                if self._train_epoch(batches):
                    self._end_epoch()
                else:
                    batches = self._go_back()
            if self._events:
                self._events.close()

    @property
    def has_stopped_early(self) -> bool:
        """Whether the figures have not improved for as many epochs as the run waits."""
        patience = self._run.training.early_stopping
        return 0 < patience <= self.state.epochs_without_improvement

    def _batches(self) -> Iterator[Any]:
        """Returns the batches that come next, for ever."""
        training = self._run.training
        return iter(self._devices.distributed(self._trained.data.train(
            training.batch_size, training.seed, epoch=self.state.epoch, repeat=True,
            labels=self._run.conditional, skip=self.state.batch)))

    def _train_epoch(self, batches: Iterator[Any]) -> bool:
        """Trains to the end of the epoch; returns whether it got there, with finite numbers."""
        state = self.state
        while state.batch < self._steps:
            batch = next(batches)
            self._progress.begin_step()
            unapplied = int(self._step(batch))
            state.batch += 1
            state.step += 1
            self._progress.end_step(state, self._figures)
            if unapplied >= self._run.settings.patience_nan:
                return False
            self._save_if_due()
        return True

    def _figures(self) -> dict[str, float]:
        """Returns the means of the epoch so far, of the figures that were measured."""
        return {name: float(tracker.result()) for name, tracker in self._model.trackers.items()
                if float(tracker.count.numpy())}

    def _save_if_due(self) -> None:
        (steps, seconds), (step, moment) = self._every, self._saved_at
        is_due, must_stop = self._devices.agree(
            (steps is not None and self.state.step - step >= steps) or (
                seconds is not None and time.monotonic() - moment >= seconds),
            self._stop.is_asked_for)
        if is_due or must_stop:
            self._save()
        if must_stop:
            self._stop.now()

    def _save(self) -> None:
        self.state.seconds = time.monotonic() - self._begin
        if self._devices.is_chief:
            self._checkpoints.save(self.state, snapshot.take(self._model))
        self._saved_at = (self.state.step, time.monotonic())

    def _end_epoch(self) -> None:
        """Validates, counts the epoch as done, and keeps that, before anything is drawn."""
        model, state = self._model, self.state
        try:
            validation = self._validate()
        except Stopped:
            self._save()
            raise
        row = {'epoch': state.epoch + 1, 'step': state.step,
               'seconds': round(time.monotonic() - self._begin, 1),
               'learning_rate': float(model.optimizer.learning_rate), **self._figures(),
               **{f'val_{name}': value for name, value in validation.items()},
               **self._watch.figures()}
        state.end_epoch(row)
        self._returned_to = None
        model.reset_metrics()
        self._save()
        self._progress.end_epoch(state)
        if self._events:
            self._directory.write_metrics(state)
            self._warn(state.rows[-1])
            self._events.write(state.rows[-1], self._samples(), self._watch.latents())

    def _validate(self) -> dict[str, float]:
        """Returns the figures of the validation split; the metrics of the training stay."""
        model = self._model
        with snapshot.metrics_kept(model), model.averaged_weights():
            model.reset_metrics()
            model.batches_seen.assign(0)
            for batch in self._validation:
                self._test(batch)
                if self._devices.agree(self._stop.is_asked_for)[0]:
                    self._stop.now()
            return self._figures()

    def _go_back(self) -> Iterator[Any]:
        """Goes back to the last checkpoint with half the step size; returns the batches after it.

        Raises:
            Failure: If that was done three times before.
        """
        step, halvings = self.state.step, self.state.halvings + 1
        if halvings > _MOST_HALVINGS:
            raise errors.Failure(
                f'the loss or its gradients are not finite at step {step:,}, also with an eighth '
                f'of the step size: {self._fault()}. The last checkpoint is kept; lower '
                f'--learning_rate, or {self._advice()}.')
        good = self._good_checkpoint()
        self._devices.check_equal(settings.SAME_CHECKPOINTS, {
            'step': good[0].step if good else None})
        if good is None:
            raise errors.Failure(f'the loss is not finite at step {step:,}, and no checkpoint is '
                                 'whole.')
        self.state, arrays = good
        self._returned_to = self.state.step
        snapshot.put_back(self._model, arrays)
        self._model.unapplied_in_row.assign(0)
        if self._devices.is_chief:
            self._checkpoints.remove_after(self.state.step)
        self.state.halvings = halvings
        self.state.returned_at.append(step)
        optimizer.halve(self._model.optimizer, halvings)
        print(f'\nwarning: the loss or its gradients were not finite in '
              f'{self._run.settings.patience_nan} steps up to step {step:,}; the run goes back to '
              f'step {self.state.step:,} with {.5**halvings:g} of the step size.', flush=True)
        self._save()
        return self._batches()

    def _good_checkpoint(self) -> tuple[State, Arrays] | None:
        """Returns the newest whole checkpoint after a step that was applied.

        If the run went back to it before, and nothing came of it, it is the one before that.
        """
        oldest = None
        for checkpoint in self._checkpoints.whole():
            oldest = checkpoint
            state, arrays = checkpoint
            if not arrays[snapshot.UNAPPLIED_IN_ROW] and (
                    self._returned_to is None or state.step < self._returned_to):
                return checkpoint
        return oldest

    def _fault(self) -> str:
        """Returns what is not finite in the batch that was trained on last."""
        training = self._run.training
        batches = self._trained.data.train(
            training.batch_size, training.seed, epoch=self.state.epoch,
            labels=self._run.conditional, skip=self.state.batch - 1)
        return self._model.explain_not_finite(batches.take(1))

    def _advice(self) -> str:
        return 'give --clip_norm' + (
            ' or --minimum_scale' if hasattr(self._run.config, 'minimum_scale') else '')

    def _samples(self) -> Any:
        """Returns sampled images in [0, 1], or None."""
        try:
            samples = self._watch.samples()
        except tf.errors.InvalidArgumentError as error:
            print(f'warning: no samples are drawn after this epoch: {error.message[:200]}')
            return None
        if samples is None:
            return None
        return self._trained.data.crop(samples) / (self._model.bins - 1)

    def _warn(self, row: dict[str, Any]) -> None:
        """Says what is wrong with an epoch."""
        unapplied = int(self._model.unapplied_steps.numpy())
        if unapplied > self._unapplied:
            print(f'warning: {unapplied - self._unapplied} steps of this epoch were not applied, '
                  'as their loss or gradients were not finite.', flush=True)
        self._unapplied = unapplied
        for name, value in row.items():
            if value is None:
                print(f'warning: {name} is not finite after this epoch.', flush=True)
        error = row.get('reconstruction_error')
        if getattr(self._run.config, 'reversible', False) and error is not None and (
                error > _RECONSTRUCTION_LIMIT):
            print(f'warning: the round trip of validation images errs by {error:.1e} of the '
                  f'pixel range; raise --minimum_scale or give --noreversible.', flush=True)
