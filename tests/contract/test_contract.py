"""Every bijector of the catalogue keeps the contract, also under every kind of condition."""

import catalogue
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_glow import bijectors as tgb
from tfp_glow import testing

RNG = np.random.default_rng(5)
LABELS = tf.constant([0, 2, 1])
MAPS = tf.constant(RNG.standard_normal([3, 2, 2, 2]))


# XLA takes long for splines and mixtures, and other tests compile what is in a Repeat or a MAF
# here. The other names here are much like bijectors that are not slow.
SLOW = {'repeat_spline', 'repeat_mixture', 'iaf_repeat', 'maf_repeat', 'maf_spline',
        'checkerboard_mixture', 'even_odd_mixture', 'flattened_maf', 'iaf_image', 'coupling_plain',
        'coupling_position', 'shuffle_vector', 'reverse_sequence', 'chain_mixed', 'glow_dense',
        'glow_shuffle', 'glow_odd', 'repeat_backprop', 'maf_additive'}
# Whole flows have tests of their own of XLA and SavedModel, under conditions too: see
# test_flows, test_serving, test_dequantized_flows and test_vector_bundles.


@pytest.mark.parametrize('name', [
    pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in catalogue.CATALOGUE])
def test_contract(name, monkeypatch):
    double, event_shape = catalogue.build(name)

    def make(dtype):
        if dtype == double_dtype:
            return double
        monkeypatch.setattr(catalogue, 'DTYPE', dtype)
        return catalogue.build(name)[0]
    double_dtype = catalogue.DTYPE
    # Whole flows have tests of their own of XLA and SavedModel.
    part = name != 'idf' and ('glow' not in name or 'squeeze' in name)
    testing.assert_bijector_contract(make, event_shape, jit_compile=part, saved_model=part)


class Conditioner(tf.Module):
    """`[B, H, W, 1] -> [B, H, W, 2]` given `{'scale': [B], 'shift': [B, 2]}`."""

    def __init__(self):
        super().__init__()
        self.kernel, self.rows = catalogue.variable(1, 2), catalogue.variable(2, 2)

    def __call__(self, kept, condition):
        scale, shift = condition['scale'], condition['shift'] @ self.rows
        return (tf.tanh(kept @ self.kernel) * scale[:, None, None, None]
                + shift[:, None, None])


def repeated(p):
    return tgb.Coupling(lambda kept, condition: tf.tanh(kept * p) + condition, tgb.Additive())


def glow(**options):
    return catalogue.glow((2, 2, 1), levels=1, steps_per_level=1, **options).bijector


CONDITIONS = {
    'structure': lambda: (
        tgb.Reversible(tgb.Coupling(Conditioner())), (2, 1, 2),
        {'scale': tf.constant(RNG.standard_normal([3])),
         'shift': tf.constant(RNG.standard_normal([3, 2]))}),
    'conditioned': lambda: (
        tgb.Conditioned(catalogue.network((2, 2, 1), 4)), (2, 2, 2),
        tf.constant(RNG.standard_normal([4, 2, 2, 1]))),
    'repeat': lambda: (
        tgb.Repeat(repeated, catalogue.variable(2, 1), 2), (1, 2, 2),
        tf.constant(RNG.standard_normal([2, 1, 2, 1]))),
    'labels': lambda: (glow(classes=3), (2, 2, 1), LABELS),
    'maps': lambda: (glow(condition_channels=2), (2, 2, 1), MAPS),
}


@pytest.mark.parametrize('name, compiled, saved', [
    *((name, name not in ('labels', 'maps'), name != 'labels') for name in CONDITIONS),
    pytest.param('labels', True, True, marks=pytest.mark.slow),
    pytest.param('maps', True, True, marks=pytest.mark.slow)])
def test_contract_under_a_condition(name, compiled, saved):
    bijector, event_shape, condition = CONDITIONS[name]()
    testing.assert_bijector_contract(
        catalogue.perturb(bijector), event_shape, catalogue.DTYPE, condition=condition,
        jit_compile=compiled, saved_model=saved)


def test_catalogue_is_complete():
    classes = {v for v in vars(tgb).values() if isinstance(v, type)}
    wanted = {c for c in classes if issubclass(c, tgb.OnePassBijector)} - {tgb.OnePassBijector}
    covered = set()
    for bijector, *_ in (*map(catalogue.template, catalogue.CATALOGUE),
                         *(make() for make in CONDITIONS.values())):
        covered |= {type(part) for part in (bijector, *bijector.submodules)}
    assert wanted <= covered


def test_tfp_bijectors_with_a_domain():
    testing.assert_bijector_contract(tfb.Exp(), [2], domain=tf.exp, jit_compile=False)
    testing.assert_bijector_contract(
        tfb.Scale(tf.constant([2., 3.])), [2], domain=lambda v: 2 * v, jit_compile=False)


def test_a_bijector_in_float32_alone():
    params = tgb.plu_parameters(channels=3, seed=0)
    testing.assert_bijector_contract(
        tgb.InvertibleConv1x1(**params), [2, 2, 3], jit_compile=False)
