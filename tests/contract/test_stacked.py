"""`Repeat` and `Reversible` give every bijector the gradients of backprop, also when deep."""

import copy

import catalogue
import numpy as np
import pytest
import tensorflow as tf

from tfp_glow import bijectors as tgb
from tfp_glow.internal import keras_bridge

TOLERANCE = {tf.float32: 1e-4, tf.float64: 1e-10}


def _repeatable(name):
    """Returns whether K copies can be chained and rebuilt from slices of their variables."""
    bijector, event_shape = catalogue.template(name)
    return (not tf.nest.is_nested(bijector.forward_min_event_ndims)
            and bijector.inverse_event_shape(event_shape) == tf.TensorShape(event_shape)
            and bool(bijector.trainable_variables)
            and 'repeat' not in name and 'glow' not in name  # They hold a Repeat already.
            and name not in ('logit', 'chain_tfp'))  # tfb.Invert cannot be copied.


NAMES = [name for name in catalogue.CATALOGUE if _repeatable(name)]
SLOW = {'spline', 'checkerboard_spline', 'maf_spline', 'checkerboard_mixture', 'mask_vector',
        'iaf_image', 'coupling_plain', 'coupling_position',
        'checkerboard_keras'}  # Others are much like these.


def stacked(name, times, scale, rng):
    """Returns a reversible and an ordinary `Repeat` of `name`; each step has its own variables."""
    template, event_shape = catalogue.CATALOGUE[name]()
    if template.inverse_min_event_ndims == 0:
        event_shape = (*[1] * (3 - len(event_shape)), *event_shape)  # Alone, they act on images.
    # Every variable, trainable or not, may be a slice; everything else stays as it is.
    params = []
    for v in template.variables:
        noise = scale * rng.standard_normal([times, *v.shape]) * v.trainable
        params.append(tf.Variable(v[tf.newaxis] + tf.cast(noise, v.dtype), trainable=v.trainable))

    def make_step(slices):
        memo = {id(v): s for v, s in zip(template.variables, slices)}
        for network in template.submodules:
            if isinstance(network, keras_bridge.KerasModule):  # Its layer cannot hold slices.
                layer = network.layer
                memo[id(layer)] = layer
                memo[id(network)] = keras_bridge.BoundNetwork(
                    layer, [memo[id(v.value)] for v in layer.variables])
        return copy.deepcopy(template, memo)
    repeats = [tgb.Repeat(make_step, params, times, reversible) for reversible in (True, False)]
    return repeats, params, event_shape


def gradients(bijector, direction, value, params, traced=True):
    """Returns gradients of a function of value and log-det by the input and trained parameters."""
    ndims = len(value.shape) - 1
    variables = [p for p in params if p.trainable]

    def run(value):
        with tf.GradientTape() as tape:
            tape.watch(value)
            output = getattr(bijector, direction)(value)
            log_det = getattr(bijector, f'{direction}_log_det_jacobian')(value, ndims)
            loss = tf.reduce_mean(tf.cos(output) * output) + tf.reduce_mean(tf.sin(log_det))
        return tape.gradient(loss, [value, *variables], unconnected_gradients='zero')
    return tf.function(run)(value) if traced else run(value)


def check(actual, expected, tolerance):
    for a, b in zip(actual, expected, strict=True):
        a, b = tf.convert_to_tensor(a), tf.convert_to_tensor(b)
        scale = max(float(tf.reduce_max(tf.abs(b))), 1e-3)
        assert float(tf.reduce_max(tf.abs(a - b))) <= tolerance * scale


def compare(name, times, scale, direction, dtype):
    rng = np.random.default_rng(17)
    (loop, kept), params, event_shape = stacked(name, times, scale, rng)
    value = tf.constant(rng.standard_normal([2, *event_shape]), dtype)
    expected = gradients(kept, direction, value, params, traced=False)
    check(gradients(loop, direction, value, params), expected, TOLERANCE[dtype])
    check(gradients(tgb.Reversible(kept), direction, value, params), expected, TOLERANCE[dtype])


@pytest.mark.parametrize('name', [
    pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in NAMES])
def test_three_steps(name):
    compare(name, 3, .2, 'inverse', tf.float64)


@pytest.mark.slow
@pytest.mark.parametrize('dtype', [tf.float32, tf.float64], ids=lambda d: d.name)
@pytest.mark.parametrize('direction', ['inverse', 'forward'])
@pytest.mark.parametrize('name', NAMES)
def test_64_steps(name, direction, dtype, monkeypatch):
    """Steps are near the start of training; stronger ones contract values beyond rounding."""
    monkeypatch.setattr(catalogue, 'DTYPE', dtype)
    if name == 'maf':  # Its gate, 0.88 at first, is 3e-4 after 64 steps; forward overflows.
        monkeypatch.setitem(catalogue.CATALOGUE, name, lambda: (tgb.MaskedAutoregressive(
            catalogue.made(3, 2, direct=True),
            tgb.AffineInner(tgb.scale_maps.clamped_exp(2.))), (3,)))
    compare(name, 64, .02, direction, dtype)
