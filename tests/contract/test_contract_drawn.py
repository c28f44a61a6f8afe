"""Tests round trips, log-dets and shapes at sizes and seeds that hypothesis draws."""

import typing

import catalogue
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_probability import bijectors as tfb

from tfp_glow import bijectors as tgb
from tfp_glow import networks, testing


class Drawn(typing.NamedTuple):
    """The sizes of an image, and the seed of its parameters."""
    height: int
    width: int
    channels: int
    factor: int
    fraction: float
    seed: int

    @property
    def shape(self):
        return self.height, self.width, self.channels

    def normal(self, *shape, stream=0):
        """Draws Normal numbers of standard deviation 0.3; each `stream` gives its own."""
        return tf.constant(.3 * np.random.default_rng([self.seed, stream]).standard_normal(shape))

    @property
    def squeezable(self):
        return self.factor * self.height, self.factor * self.width, self.channels


def act_norm(d, channels=None):
    channels = channels or d.channels
    return tgb.ActNorm(d.normal(channels), d.normal(channels, stream=1))


def conv1x1(d, channels=None):
    channels = channels or d.channels
    values = tgb.plu_parameters(channels, d.seed, np.float64)
    return tgb.InvertibleConv1x1(**dict(values, log_s=values['log_s'] + d.normal(channels)))


def network(d, inputs, outputs):
    kernel = d.normal(inputs, outputs)
    return lambda kept: tf.tanh(kept @ kernel)


def coupling(d, inner, channels=None):
    channels = channels or d.channels
    kept, moved = (channels + 1) // 2, channels // 2
    return tgb.Coupling(network(d, kept, moved * inner.outputs_per_channel), inner)


def masked(d):
    """Returns a coupling that keeps a drawn fraction of the pixels, at least one and not all."""
    pixels = d.height * d.width
    kept = min(max(round(d.fraction * pixels), 1), pixels - 1)
    order = np.random.default_rng(d.seed).permutation(pixels)
    mask = (order < kept).reshape([d.height, d.width, 1])
    return tgb.Coupling(network(d, d.channels, 2 * d.channels), split=tgb.splits.mask(mask))


def checkerboard(d):
    return tgb.Coupling(network(d, d.channels, 2 * d.channels),
                        split=tgb.splits.checkerboard(d.channels % 2))


def even_odd(d):
    kept = (d.channels + 1 - d.height % 2) // 2
    return tgb.Coupling(network(d, kept, 2 * (d.channels - kept)),
                        split=tgb.splits.even_odd(d.height % 2), event_ndims=1)


def batch_norm(d):
    c = d.channels
    return tgb.BatchNorm(d.normal(c), d.normal(c, stream=1), d.normal(c, stream=2),
                         tf.exp(d.normal(c, stream=3)))


def whitening(d):
    size = d.height * d.channels
    return tgb.Whitening(d.normal(size), tgb.rotation(size, d.seed), d.normal(size, stream=1),
                         event_shape=(d.height, 1, d.channels))


def logit(d):
    to_pixels = [tfb.Invert(tfb.Sigmoid()), tgb.Logit(.4 * d.fraction)]
    return tgb.Chain([act_norm(d), *to_pixels])


def autoregressive(d, of, inner):
    made = networks.made(d.channels, inner.outputs_per_channel, hidden=[d.height + 2],
                         order=('natural', 'reversed', 'random')[d.height - 1], direct=d.width > 2,
                         activation='tanh', dtype='float64', seed=d.seed % 1000)
    return catalogue.perturb(of(made, inner), d.seed)


def squeezed_chain(d):
    channels = d.factor**2 * d.channels
    return tgb.Chain([tgb.Squeeze(d.factor), act_norm(d, channels), conv1x1(d, channels),
                      coupling(d, tgb.AffineInner(), channels)])


def repeat(d):
    half = d.channels // 2
    params = {'shift': d.normal(d.factor, d.channels), 'kernel': d.normal(
        d.factor, d.channels - half, 2 * half)}

    def make_step(p):
        return tgb.Chain([
            tgb.ActNorm(p['shift'], tf.sin(p['shift'])), tgb.Reverse(d.channels, tf.float64),
            tgb.Coupling(lambda kept: tf.tanh(kept @ p['kernel']))])
    return tgb.Repeat(make_step, params, d.factor)


def multi_scale(d):
    channels = 4 * d.channels
    exit_ = coupling(d, tgb.AffineInner(), channels)
    level = tgb.Chain([tgb.Squeeze(2), conv1x1(d, channels)])
    return tgb.MultiScale([level, act_norm(d, channels // 2)], [exit_])


# Family -> function of the drawn sizes that returns (bijector, event shape of its data).
FAMILIES = {
    'act_norm': lambda d: (act_norm(d), d.shape),
    'conv1x1': lambda d: (conv1x1(d), d.shape),
    'dense_conv1x1': lambda d: (tgb.DenseConv1x1(
        tgb.rotation(d.channels, d.seed) * np.exp(d.normal(d.channels))), d.shape),
    'shuffle': lambda d: (tgb.Shuffle(
        tgb.random_permutation(d.channels, d.seed), tf.float64), d.shape),
    'reverse': lambda d: (tgb.Reverse(d.channels, tf.float64), d.shape),
    'squeeze': lambda d: (tgb.Squeeze(d.factor), d.squeezable),
    'squeeze_glow': lambda d: (tgb.Squeeze(d.factor, 'glow'), d.squeezable),
    'squeeze_realnvp': lambda d: (
        tgb.Squeeze(2, 'realnvp'), (2 * d.height, 2 * d.width, d.channels)),
    'additive': lambda d: (coupling(d, tgb.Additive()), d.shape),
    'affine': lambda d: (coupling(d, tgb.AffineInner()), d.shape),
    'even_odd': lambda d: (even_odd(d), (d.channels,)),
    'checkerboard': lambda d: (checkerboard(d), d.shape),
    'spline': lambda d: (coupling(d, tgb.SplineInner(d.factor)), d.shape),
    'mixture': lambda d: (coupling(d, tgb.MixtureCDFInner(d.factor)), d.shape),
    'batch_norm': lambda d: (batch_norm(d), d.shape),
    'whitening': lambda d: (whitening(d), (d.height, 1, d.channels)),
    'logit': lambda d: (logit(d), d.shape),
    'maf': lambda d: (autoregressive(
        d, tgb.MaskedAutoregressive, tgb.AffineInner()), (d.channels,)),
    'iaf': lambda d: (autoregressive(
        d, tgb.InverseAutoregressive, tgb.SplineInner(d.factor)), (d.channels,)),
    'flattened': lambda d: (tgb.Flattened(even_odd(d), (1, d.channels, 1)), (1, d.channels, 1)),
    'masked': lambda d: (masked(d), d.shape),
    'chain': lambda d: (squeezed_chain(d), d.squeezable),
    'repeat': lambda d: (repeat(d), d.shape),
    'reversible': lambda d: (tgb.Reversible(squeezed_chain(d)), d.squeezable),
    'multi_scale': lambda d: (multi_scale(d), (2 * d.height, 2 * d.width, d.channels)),
}


@pytest.mark.parametrize('family', FAMILIES)
@settings(max_examples=6, deadline=None, derandomize=True)
@given(drawn=st.builds(
    Drawn, height=st.integers(1, 3), width=st.integers(2, 3), channels=st.integers(2, 5),
    factor=st.integers(2, 3), fraction=st.floats(0., 1.), seed=st.integers(0, 2**31 - 1)))
def test_drawn(family, drawn):
    bijector, event_shape = FAMILIES[family](drawn)
    testing.assert_invertible(bijector, event_shape, tf.float64)
