"""What happens after each epoch of a run: figures, pictures, a checkpoint, a look at its health."""

import time

import keras
import numpy as np
import tensorflow as tf

import tfp_glow
from zoo import errors, measures

_RECONSTRUCTION_LIMIT = 1e-3  # Of the pixel range: beyond it constant-memory gradients suffer.


def for_run(run, data, model, directory, manager):
    """The callbacks of a run."""
    return [_Health(), _Record(run, data, model, directory, manager)]


class _Health(keras.callbacks.Callback):
    """Stops a run whose loss is no number."""

    def on_train_batch_end(self, batch, logs=None):
        if batch % 50 == 0 and not np.isfinite(logs['loss']):
            raise errors.Failure(
                f'the loss became {logs["loss"]} at step {batch}: lower --learning_rate, or give '
                f'--clip_norm or --minimum_scale; the last checkpoint is kept.')


class _Record(keras.callbacks.Callback):
    """Metrics, TensorBoard scalars and images, checkpoints."""

    def __init__(self, run, data, model, directory, manager):
        super().__init__()
        self._run, self._data, self._flow_model = run, data, model
        self._directory, self._manager = directory, manager
        self._writer = tf.summary.create_file_writer(str(directory.path / 'tensorboard'))
        self._probe = run.examples(data, 'validation', min(16, data.sizes['validation']))
        self._round_trip = measures.RoundTrip(model)
        tempered, given = tfp_glow.with_temperature(model.flow, .7), {}
        if run.conditional:
            given['condition'] = tf.range(16) % data.num_classes
        self._draw = tf.function(lambda: tempered.sample(16, seed=[0, 1], **given))

    def on_epoch_begin(self, epoch, logs=None):
        self._start = time.time()

    def on_epoch_end(self, epoch, logs=None):
        model, checkpoint = self._flow_model, self._manager.checkpoint
        checkpoint.seconds.assign_add(time.time() - self._start)
        error = self._round_trip.error(*self._probe)
        row = {'epoch': epoch + 1, 'step': int(model.optimizer.iterations),
               'seconds': round(float(checkpoint.seconds), 1),
               'learning_rate': float(model.optimizer.learning_rate),
               **{name: float(value) for name, value in logs.items()},
               'reconstruction_error': error}
        self._directory.add_metrics(row)
        with self._writer.as_default(step=epoch + 1):
            for name, value in row.items():
                tf.summary.scalar(name, value)
            if model.bins is not None:
                tf.summary.image('samples', self._samples(), max_outputs=16)
        self._writer.flush()
        checkpoint.epoch.assign(epoch + 1)
        self._manager.save()
        if getattr(self._run.config, 'reversible', False) and not error <= _RECONSTRUCTION_LIMIT:
            print(f'\nwarning: the round trip of validation images errs by {error:.1e} of the '
                  f'pixel range; raise --minimum_scale or give --noreversible.')

    def _samples(self):
        with self._flow_model.averaged_weights():
            data = self._draw()
        images = self._data.crop(self._flow_model.to_images(data))
        return tf.cast(images, tf.float32) / (self._flow_model.bins - 1)
