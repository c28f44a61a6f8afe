"""Small bijectors with one bug each, which the contract must catch; see test_contract_faults."""

import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_glow import bijectors as tgb


class Scale(tgb.OnePassBijector):
    """forward(x) = scale * x over vectors; `log_det` and `wrong` add faults."""

    def __init__(self, scale, log_det=1., wrong=1., name='scale'):
        parameters = dict(locals())
        self._scale, self._log_det, self._wrong = scale, log_det, wrong
        super().__init__(forward_min_event_ndims=1, parameters=parameters, name=name)

    def _read(self):
        return tf.convert_to_tensor(self._scale)

    def _forward_and_log_det(self, x):
        scale = self._read()
        return x * scale, self._log_det * tf.reduce_sum(tf.math.log(scale))

    def _inverse_and_log_det(self, y):
        scale = self._read()
        return y / scale * self._wrong, -self._log_det * tf.reduce_sum(tf.math.log(scale))


class PerEntry(tfb.Bijector):
    """A plain TFP bijector that forgets to sum its log-det."""

    def __init__(self):
        super().__init__(forward_min_event_ndims=1, parameters={})

    def _forward(self, x):
        return 2 * x

    def _inverse(self, y):
        return y / 2

    def _forward_log_det_jacobian(self, x):
        return tf.math.log(2.) + tf.zeros_like(x)


class NoParameters(tfb.Bijector):
    """A plain TFP bijector that cannot be copied."""

    def __init__(self):
        super().__init__(forward_min_event_ndims=0, is_constant_jacobian=True)

    def _forward(self, x):
        return -x

    _inverse = _forward

    def _forward_log_det_jacobian(self, x):
        return tf.zeros([], x.dtype)


class Widens(Scale):
    """Returns a float64 log-det for every input."""

    def _inverse_and_log_det(self, y):
        x, log_det = super()._inverse_and_log_det(y)
        return x, tf.cast(log_det, tf.float64)


class Pixels(tgb.OnePassBijector):
    """Scales all pixels, and counts one of them."""

    def __init__(self, log_scale, name='pixels'):
        parameters = dict(locals())
        self._log_scale = log_scale
        super().__init__(parameters=parameters, name=name)

    def _forward_and_log_det(self, x):
        return x * tf.exp(self._log_scale), tf.reduce_sum(self._log_scale)

    def _inverse_and_log_det(self, y):
        return y * tf.exp(-self._log_scale), -tf.reduce_sum(self._log_scale)


class Masked(tgb.OnePassBijector):
    """inverse(y) = y @ (kernel * mask): autoregressive as long as the mask is triangular."""

    def __init__(self, kernel, mask, name='masked'):
        parameters = dict(locals())
        self._kernel, self._mask = kernel, mask
        super().__init__(forward_min_event_ndims=1, parameters=parameters, name=name)

    def _log_det(self):
        return tf.reduce_sum(tf.math.log(tf.linalg.diag_part(self._kernel)))

    def _forward_and_log_det(self, x):
        solved = tf.linalg.solve(tf.transpose(self._kernel * self._mask), tf.transpose(x))
        return tf.transpose(solved), -self._log_det()

    def _inverse_and_log_det(self, y):
        return y @ (self._kernel * self._mask), self._log_det()


class Coupled(tgb.OnePassBijector):
    """An affine coupling of two entries whose network, a matrix product, runs `runs` times."""

    def __init__(self, kernel, runs=1, name='coupled'):
        parameters = dict(locals())
        self._kernel, self._runs = kernel, runs
        super().__init__(forward_min_event_ndims=1, parameters=parameters, name=name)

    def _network(self, kept):
        raw = tf.linalg.matvec(tf.convert_to_tensor(self._kernel), kept, transpose_a=True)
        return tf.split(tf.tanh(raw), 2, -1)

    def _shift_and_log_scale(self, kept):
        shift, log_scale = self._network(kept)
        if self._runs == 2:
            log_scale = self._network(tf.identity(kept))[1]
        return shift, log_scale

    def _forward_and_log_det(self, x):
        kept, moved = tf.split(x, 2, -1)
        shift, log_scale = self._shift_and_log_scale(kept)
        return tf.concat([kept, moved * tf.exp(log_scale) + shift], -1), log_scale[..., 0]

    def _inverse_and_log_det(self, y):
        kept, moved = tf.split(y, 2, -1)
        shift, log_scale = self._shift_and_log_scale(kept)
        return tf.concat([kept, (moved - shift) * tf.exp(-log_scale)], -1), -log_scale[..., 0]


class PlainCoupled(tfb.Bijector):
    """A plain TFP bijector that does the same, and runs its network once for each result."""

    def __init__(self, kernel, name='plain_coupled'):
        parameters = dict(locals())
        self._coupled = Coupled(kernel)
        super().__init__(forward_min_event_ndims=1, parameters=parameters, name=name)

    def _forward(self, x):
        return self._coupled._forward_and_log_det(x)[0]

    def _inverse(self, y):
        return self._coupled._inverse_and_log_det(y)[0]

    def _inverse_log_det_jacobian(self, y):
        return self._coupled._inverse_and_log_det(y)[1]


class KerasHeld(Coupled):
    """Holds its Keras network as it is, although a Keras layer is not a `tf.Module`."""

    def __init__(self, layer, name='keras_held'):
        super().__init__(kernel=None, name=name)
        self._layer = layer

    def _network(self, kept):
        return tf.split(tf.tanh(self._layer(kept)), 2, -1)


class StaleCache(Scale):
    """Caches its results by the identity of the input."""

    def __init__(self, scale, name='stale_cache'):
        super().__init__(scale, name=name)
        self._memo = self._no_dependency([])

    def _state(self):
        return 0

    def _inverse_and_log_det(self, y):
        for seen, state, answer in self._memo:
            if seen is y and state == self._state():
                return answer
        answer = super()._inverse_and_log_det(y)
        self._memo.append((y, self._state(), answer))
        return answer


class Unrecorded(StaleCache):
    """Caches results by the values of the variables too, but ignores whether a tape records."""

    def _state(self):
        return self._scale.numpy().tolist() if tf.executing_eagerly() else object()


class Baked(Scale):
    """Reads its parameter when it is made, not when it is called."""

    def __init__(self, scale, name='baked'):
        super().__init__(scale, name=name)
        self._value = tf.convert_to_tensor(scale)

    def _read(self):
        return self._value


class HalfBaked(Scale):
    """Has two parameters, and reads one of them when it is made."""

    def __init__(self, scale, factor, name='half_baked'):
        super().__init__(scale, name=name)
        self._factor, self._value = factor, tf.convert_to_tensor(factor)

    def _read(self):
        return self._scale * self._value


class Stopped(Scale):
    """Lets no gradient through."""

    def _read(self):
        return tf.stop_gradient(self._scale)


class Unread(Scale):
    """Has a variable that it never reads."""

    def __init__(self, scale, name='unread'):
        super().__init__(scale, name=name)
        self.unread = tf.Variable(1.)


class Unsaved(Scale):
    """Keeps its variable where no checkpoint looks."""

    def __init__(self, scale, name='unsaved'):
        super().__init__(None, name=name)
        self._held = self._no_dependency([scale])

    def _read(self):
        return tf.convert_to_tensor(self._held[0])


class Table(Scale):
    """Reads its scale from a table that a SavedModel cannot find."""

    def __init__(self, scale, name='table'):
        super().__init__(None, name=name)
        table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(tf.constant([0, 1]), scale), -1.)
        self._table = self._no_dependency([table])

    def _read(self):
        return self._table[0].lookup(tf.constant([0, 1]))


class Shared(Scale):
    """Returns itself as its deep copy."""

    def __deepcopy__(self, memo):
        return self


class LooseConstructor(Scale):
    """Swallows unknown arguments."""

    def __init__(self, scale, name='loose_constructor', **kwargs):
        del kwargs
        super().__init__(scale, name=name)


class LooseMethods(Scale):
    """Swallows unknown keywords of its methods."""

    def _checked(self, kwargs, part=None, ndims=None):
        return {}


class KnownBatch(Scale):
    """Needs to know the size of the batch when it is traced."""

    def _inverse_and_log_det(self, y):
        return super()._inverse_and_log_det(tf.reshape(y, [int(y.shape[0]), 2]))


class NoEventShape(tgb.Squeeze):
    """Forgets that it changes the event's shape."""

    def _forward_event_shape(self, shape):
        return tf.TensorShape(shape)


class NoEventShapeTensor(tgb.Squeeze):
    """Forgets that it changes the event's shape, if the shape is a tensor."""

    def _inverse_event_shape_tensor(self, shape):
        return shape
