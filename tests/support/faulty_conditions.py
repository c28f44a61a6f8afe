"""Small conditional bijectors with one bug each, which the contract must catch."""

import tensorflow as tf

from tfp_glow import bijectors as tgb


class ConditionalShift(tgb.OnePassBijector):
    """forward(x) = x + sensitivity * condition; the other arguments add faults."""

    def __init__(self, sensitivity=1., stop=False, default=None, name='conditional_shift'):
        parameters = dict(locals())
        self._sensitivity, self._stop, self._default = sensitivity, stop, default
        super().__init__(forward_min_event_ndims=1, parameters=parameters, name=name)

    @property
    def takes_condition(self):
        return True

    def _checked(self, kwargs, part=None, ndims=None):
        if self._default is not None:
            kwargs = {'condition': self._default, **kwargs}
        return super()._checked(kwargs, part, ndims)

    def _shift(self, condition):
        shift = self._sensitivity * condition[:, tf.newaxis]
        return tf.stop_gradient(shift) if self._stop else shift

    def _forward_and_log_det(self, x, condition):
        return x + self._shift(condition), tf.zeros([], x.dtype)

    def _inverse_and_log_det(self, y, condition):
        return y - self._shift(condition), tf.zeros([], y.dtype)


class FirstRow(ConditionalShift):
    """Gives every row of the batch the condition of the first."""

    def _shift(self, condition):
        return condition[0]
