"""Makes the Keras optimizer of a run, with its schedule and its averages of the weights."""

import math
from typing import Any

import keras
import tensorflow as tf

from zoo.models.recipe import Training


def make(training: Training, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """Returns the optimizer that `training` asks for.

    The learning rate rises linearly over the warm-up. After that it stays, or falls as half a
    cosine to zero at the end of the last epoch. It is multiplied by `decay` for each epoch that is
    over, and by the variable `step_factor`, which `halve` sets.
    """
    warmup = max(1, math.ceil(training.warmup_epochs * steps_per_epoch))
    total = max(1, training.epochs * steps_per_epoch - warmup)
    alpha = 0. if training.schedule == 'cosine' else 1.
    schedule = keras.optimizers.schedules.CosineDecay(
        0., total, alpha=alpha, warmup_target=training.learning_rate, warmup_steps=warmup)
    if training.decay < 1:
        schedule = _Decayed(schedule, training.decay, steps_per_epoch)
    factor = tf.Variable(1., trainable=False, name='step_factor')
    kind = {'adam': keras.optimizers.Adam, 'adamax': keras.optimizers.Adamax,
            'rmsprop': keras.optimizers.RMSprop}[training.optimizer]
    made = kind(_Scaled(schedule, factor), global_clipnorm=training.clip_norm or None,
                use_ema=training.ema > 0, ema_momentum=training.ema or .99)
    made.step_factor = factor
    return made


def halve(made: keras.optimizers.Optimizer, times: int) -> None:
    """Makes the step size of an optimizer of `make` that of its schedule, halved so many times."""
    made.step_factor.assign(.5**times)


class _Scaled(keras.optimizers.schedules.LearningRateSchedule):
    """Multiplies a schedule by a variable."""

    def __init__(self, schedule: keras.optimizers.schedules.LearningRateSchedule,
                 factor: tf.Variable) -> None:
        super().__init__()
        self._schedule, self._factor = schedule, factor

    def __call__(self, step: Any) -> Any:
        return self._schedule(step) * self._factor

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        return {'schedule': self._schedule, 'factor': self._factor}


class _Decayed(keras.optimizers.schedules.LearningRateSchedule):
    """Multiplies a schedule by `factor` for each epoch, of `steps_per_epoch`, that is over."""

    def __init__(self, schedule: keras.optimizers.schedules.LearningRateSchedule, factor: float,
                 steps_per_epoch: int) -> None:
        super().__init__()
        self._schedule, self._factor, self._steps = schedule, factor, steps_per_epoch

    def __call__(self, step: Any) -> Any:
        epochs = keras.ops.cast(step // self._steps, 'float32')
        return self._schedule(step) * self._factor**epochs

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        return {'schedule': self._schedule, 'factor': self._factor,
                'steps_per_epoch': self._steps}
