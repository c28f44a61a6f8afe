"""What happens after each epoch of a run: figures, pictures, a checkpoint, a look at its health."""

import time

import keras
import numpy as np
import tensorflow as tf

import tfp_glow
from zoo.cli import errors
from zoo.evaluation import metrics

_SHOWN = 16  # Images.
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
        self._run, self._data, self._trained = run, data, model
        self._directory, self._manager = directory, manager
        self._writer = tf.summary.create_file_writer(str(directory.path / 'tensorboard'))
        self._look = (_VAELook if run.is_vae else _FlowLook)(run, data, model)

    def on_epoch_begin(self, epoch, logs=None):
        self._start = time.time()

    def on_epoch_end(self, epoch, logs=None):
        model, checkpoint = self._trained, self._manager.checkpoint
        checkpoint.seconds.assign_add(time.time() - self._start)
        looked = self._look.figures()
        row = {'epoch': epoch + 1, 'step': int(model.optimizer.iterations),
               'seconds': round(float(checkpoint.seconds), 1),
               'learning_rate': float(model.optimizer.learning_rate),
               **{name: float(value) for name, value in logs.items()},
               **looked}
        self._directory.add_metrics(row)
        with self._writer.as_default(step=epoch + 1):
            for name, value in row.items():
                tf.summary.scalar(name, value)
            if model.bins is not None:
                pictures = self._data.crop(self._look.samples())
                tf.summary.image('samples', pictures / (model.bins - 1), max_outputs=16)
        self._writer.flush()
        checkpoint.epoch.assign(epoch + 1)
        self._manager.save()
        error = looked.get('reconstruction_error')
        if getattr(self._run.config, 'reversible', False) and not error <= _RECONSTRUCTION_LIMIT:
            print(f'\nwarning: the round trip of validation images errs by {error:.1e} of the '
                  f'pixel range; raise --minimum_scale or give --noreversible.')


class _FlowLook:
    """The round trip of a flow's images, and samples."""

    def __init__(self, run, data, model):
        self._model = model
        self._probe = run.examples(data, 'validation', min(_SHOWN, data.sizes['validation']))
        self._round_trip = metrics.RoundTrip(model)
        tempered, given = tfp_glow.with_temperature(model.flow, .7), {}
        if run.conditional:
            given['condition'] = tf.range(_SHOWN) % data.num_classes
        self._draw = tf.function(lambda: tempered.sample(_SHOWN, seed=[0, 1], **given))

    def figures(self):
        return {'reconstruction_error': self._round_trip.error(*self._probe)}

    def samples(self):
        with self._model.averaged_weights():
            data = self._draw()
        return tf.cast(self._model.to_images(data), tf.float32)


class _VAELook:
    """Pictures of latents from a VAE's prior."""

    def __init__(self, run, data, model):
        del run, data
        self._model = model
        self._draw = tf.function(lambda: model.vae.sample(_SHOWN, [0, 1], mean=True))

    def figures(self):
        return {}

    def samples(self):
        with self._model.averaged_weights():
            return self._draw()
