"""Errors for bad input give name, rule and value: shapes always, values if `validate_args`."""

import inspect

import numpy as np
import pytest
import tensorflow as tf

from tfp_glow import bijectors as tgb
from tfp_glow.bijectors import parts

NAN = float('nan')
CLASSES = {c for c in vars(tgb).values() if isinstance(c, type)
           and issubclass(c, tgb.OnePassBijector) and c is not tgb.OnePassBijector}
PLU = {name: tf.constant(value) for name, value in tgb.plu_parameters(2, 0).items()}
ZEROS = {'shift': tf.zeros([2, 2]), 'log_scale': tf.zeros([2, 2])}


def normal(**parameters):
    return tgb.BatchNorm(**{'shift': [0.], 'log_scale': [0.], 'mean': [0.], 'variance': [1.],
                            **parameters})


def rotated(**parameters):
    return tgb.Whitening(**{'mean': [0., 0.], 'axes': np.eye(2, dtype=np.float32),
                            'log_scale': [0., 0.], **parameters})


# Class -> (function that makes it from keywords, event shape of its data).
VALID = {
    tgb.ActNorm: (lambda **k: tgb.ActNorm([0., 1.], [1., 0.], **k), (1, 2, 2)),
    tgb.BatchNorm: (lambda **k: normal(event_ndims=1, **k), (1,)),
    tgb.Chain: (lambda **k: tgb.Chain([tgb.Reverse(2), tgb.ActNorm([0., 1.], [1., 0.])], **k),
                (1, 2, 2)),
    tgb.Conditioned: (lambda **k: tgb.Conditioned(lambda c: c[:, None, None], **k), (1, 1, 2)),
    tgb.Coupling: (lambda **k: tgb.Coupling(tf.sin, tgb.Additive(), **k), (1, 2, 2)),
    tgb.DenseConv1x1: (lambda **k: tgb.DenseConv1x1([[2., 1.], [0., 1.]], **k), (1, 2, 2)),
    tgb.IntegerCoupling: (lambda **k: tgb.IntegerCoupling(
        tf.sin, split=tgb.splits.channels(), **k), (1, 2, 2)),
    tgb.InverseAutoregressive: (lambda **k: tgb.InverseAutoregressive(
        lambda x: tf.cumsum(x, 1, exclusive=True)[..., None], tgb.Additive(), **k), (2,)),
    tgb.InvertibleConv1x1: (lambda **k: tgb.InvertibleConv1x1(**PLU, **k), (1, 2, 2)),
    tgb.Logit: (lambda **k: tgb.Logit(.05, **k), (2,)),
    tgb.MaskedAutoregressive: (lambda **k: tgb.MaskedAutoregressive(
        lambda y: tf.cumsum(y, 1, exclusive=True)[..., None], tgb.Additive(), **k), (2,)),
    tgb.MixtureLogisticCDF: (lambda **k: tgb.MixtureLogisticCDF([0.], [1.], [0.], **k), (2,)),
    tgb.MultiScale: (lambda **k: tgb.MultiScale([tgb.Squeeze(2), tgb.Reverse(2)], **k), (2, 2, 1)),
    tgb.Repeat: (lambda **k: tgb.Repeat(lambda p: tgb.ActNorm(**p), ZEROS, 2, **k), (1, 2, 2)),
    tgb.Reverse: (lambda **k: tgb.Reverse(2, **k), (1, 2, 2)),
    tgb.Reversible: (lambda **k: tgb.Reversible(tgb.Squeeze(2), **k), (2, 2, 1)),
    tgb.Flattened: (lambda **k: tgb.Flattened(
        tgb.ShiftScale(tf.zeros([4])), (2, 2, 1), **k), (2, 2, 1)),
    tgb.ShiftScale: (lambda **k: tgb.ShiftScale(1., 2., **k), (2,)),
    tgb.Shuffle: (lambda **k: tgb.Shuffle([1, 0], **k), (1, 2, 2)),
    tgb.Spline: (lambda **k: tgb.Spline(tf.zeros([5]), **k), (2,)),
    tgb.Squeeze: (lambda **k: tgb.Squeeze(2, **k), (2, 2, 1)),
    tgb.Whitening: (lambda **k: rotated(**k), (2,)),
}


def given(cls, rows=1):
    return {'condition': tf.zeros([rows, 4])} if cls is tgb.Conditioned else {}


def test_every_bijector_takes_validate_args():
    assert set(VALID) == CLASSES
    for cls in CLASSES:
        *_, flag, name = inspect.signature(cls).parameters.values()
        assert (flag.name, flag.default, name.name) == ('validate_args', False, 'name')


@pytest.mark.parametrize('cls', VALID, ids=lambda cls: cls.__name__)
def test_inputs_must_be_finite_with_validate_args(cls):
    make, shape = VALID[cls]
    plain, strict = make(), make(validate_args=True)
    assert not plain.validate_args and strict.validate_args
    y = tf.fill([1, *shape], .25)
    x = strict.inverse(y, **given(cls))
    for a, e in zip(tf.nest.flatten(x), tf.nest.flatten(plain.inverse(y, **given(cls)))):
        np.testing.assert_allclose(a, e, 1e-6)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r'(?s)y must be .*; got y=.*nan'):
        strict.inverse(y * NAN, **given(cls))
    bad = tf.nest.map_structure(lambda z: z * NAN, x)
    with pytest.raises(tf.errors.InvalidArgumentError,
                       match=r'(?s)x(\[0\])? must be finite; got x(\[0\])?=.*nan'):
        strict.forward_log_det_jacobian(bad, **given(cls))
    if cls is not tgb.MixtureLogisticCDF:  # It looks for a root, and raises.
        plain.inverse(y * NAN, **given(cls))


# Name -> (function of a parameter's value, a good value, a bad value, two parts of the error).
PARAMETERS = {
    'act_norm': (lambda v, **k: tgb.ActNorm(v, [0., 0.], **k), [0., 1.], [0., NAN],
                 'shift must be finite', r'\[nan\]'),
    'shift_scale': (lambda v, **k: tgb.ShiftScale(None, v, **k), [0., 1.], [np.inf, 0.],
                    'log_scale must be finite', r'\[inf\]'),
    'batch_norm': (lambda v, **k: normal(variance=v, **k), [1.], [-2.],
                   'variance must not be negative', r'\[-2.0\]'),
    'permutation': (lambda v, **k: tgb.InvertibleConv1x1(**{**PLU, 'permutation': v}, **k),
                    [[0., 1.], [1., 0.]], [[1., 1.], [0., 0.]],
                    'permutation must be a permutation matrix', r'\[\[1., 1.\], +\[0., 0.\]\]'),
    'sign': (lambda v, **k: tgb.InvertibleConv1x1(**{**PLU, 'sign': v}, **k), [1., -1.], [1., .5],
             'sign must be -1 or 1', r'\[0.5\]'),
    'kernel': (lambda v, **k: tgb.DenseConv1x1(v, **k), [[1., 2.], [3., 4.]], [[1., 2.], [2., 4.]],
               'kernel must not be singular', r'\[\[1., 2.\], +\[2., 4.\]\]'),
    'shuffle': (lambda v, **k: tgb.Shuffle(v, **k), [1, 0], [1, 1],
                'permutation must hold each of 0 .. C-1 once', r'\[1, 1\]'),
    'axes': (lambda v, **k: rotated(axes=v, **k), [[0., 1.], [1., 0.]], [[1., 1.], [0., 1.]],
             'axes must be orthogonal', r'\[\[1., 1.\], +\[0., 1.\]\]'),
    'spline': (lambda v, **k: tgb.Spline(v, **k), [0.] * 5, [NAN] * 5, 'raw must be finite', 'nan'),
    'mixture': (lambda v, **k: tgb.MixtureLogisticCDF([0.], v, [0.], **k), [0.], [NAN],
                'means must be finite', 'nan'),
    'repeat': (lambda v, **k: tgb.Repeat(lambda p: tgb.ShiftScale(p), v, 2, **k),
               [[0.], [1.]], [[0.], [NAN]], 'params must be finite', r'\[nan\]'),
}
ALWAYS = {'batch_norm', 'shuffle', 'axes'}  # These are checked where known, flag or not.


@pytest.mark.parametrize('name', PARAMETERS)
def test_known_parameters_are_checked_at_construction(name):
    make, good, bad, rule, shown = PARAMETERS[name]
    for value in (tf.constant(bad), tf.Variable(bad, trainable=False)):
        with pytest.raises(ValueError, match=f'{rule}; got {rule.split()[0]}=.*{shown}'):
            make(value, validate_args=True)
    if name not in ALWAYS:
        make(tf.constant(bad))
    assert make(tf.constant(good), validate_args=True).validate_args


@pytest.mark.parametrize('name', PARAMETERS)
def test_variables_are_checked_by_each_evaluation(name):
    """Traced functions check them too, and so do bijectors within other bijectors."""
    make, good, bad, rule, _ = PARAMETERS[name]
    variable = tf.Variable(good, trainable=False)
    bijector = make(variable, validate_args=True)
    traced = tf.function(tgb.Chain([bijector]).inverse_log_det_jacobian)
    y = tf.fill([1, 2, 2, len(good)], .5)
    traced(y)
    variable.assign(bad)
    for evaluate in (traced, bijector.inverse):
        with pytest.raises(tf.errors.InvalidArgumentError,
                           match=f'{rule}; got {rule.split()[0]}='):
            evaluate(y)


def operations(function, *args):
    graph = function.get_concrete_function(*args).graph.as_graph_def()
    return [n.op for n in graph.node] + [
        n.op for f in graph.library.function for n in f.node_def]


def test_validate_args_costs_nothing_where_it_is_off():
    def traced(**options):
        chain = tgb.Chain([tgb.ActNorm([0., 0.], [0., 0.], **options),
                           tgb.Coupling(tf.sin, tgb.Additive(), **options)], **options)
        return operations(tf.function(chain.inverse), tf.TensorSpec([None, 2, 2, 2]))
    assert 'Assert' not in traced() and 'Assert' in traced(validate_args=True)


def test_networks_must_give_finite_values():
    for bijector, y, name in (
            (tgb.Coupling(lambda y1: y1 * NAN, validate_args=True, inner=tgb.Additive()),
             tf.ones([1, 1, 1, 2]), 'conditioner'),
            (tgb.MaskedAutoregressive(lambda y: y[..., None] * NAN, tgb.Additive(),
                                      validate_args=True), tf.ones([1, 2]), 'network')):
        with pytest.raises(tf.errors.InvalidArgumentError,
                           match=f'the output of {name} must be finite'):
            tf.function(bijector.inverse)(y)


def test_a_step_in_a_loop_checks_its_slice():
    shift = tf.Variable([[0.], [0.], [0.]])
    repeat = tgb.Repeat(lambda p: tgb.ShiftScale(p, validate_args=True), shift, 3)

    @tf.function
    def gradient():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(repeat.inverse(tf.ones([1, 1, 1, 2])))
        return tape.gradient(loss, shift)
    np.testing.assert_array_equal(gradient(), [[2.], [2.], [2.]])
    shift[2].assign([np.inf])
    with pytest.raises(tf.errors.InvalidArgumentError, match='shift must be finite'):
        gradient()


@pytest.mark.parametrize('cls', [tgb.ActNorm, tgb.Chain, tgb.Repeat, tgb.MultiScale])
def test_frozen_bijectors_keep_the_flag(cls):
    bijector = VALID[cls][0](validate_args=True)
    frozen = parts.with_frozen(bijector, parts.frozen_values(bijector))
    assert frozen is not bijector and frozen.validate_args
    assert not parts.with_frozen(VALID[cls][0](), parts.frozen_values(bijector)).validate_args


@pytest.mark.parametrize('dtype', [tf.uint8, tf.int32, tf.bool, tf.complex64], ids=lambda d: d.name)
@pytest.mark.parametrize('cls', VALID, ids=lambda cls: cls.__name__)
def test_inputs_must_be_floating(cls, dtype):
    make, shape = VALID[cls]
    with pytest.raises(ValueError, match=f'dtype.*{dtype.name}'):
        make().inverse(tf.zeros([1, *shape], dtype), **given(cls))


@pytest.mark.parametrize('cls', VALID, ids=lambda cls: cls.__name__)
def test_inputs_must_be_of_the_parameters_dtype(cls):
    make, shape = VALID[cls]
    bijector = make()
    if bijector.dtype is None:  # It takes any floating dtype.
        x = tf.nest.flatten(bijector.inverse(tf.fill([1, *shape], tf.constant(.5, tf.float64)),
                                             **given(cls)))
        assert {z.dtype for z in x} == {tf.float64}
    else:
        with pytest.raises(ValueError, match='y: .* dtype float32 .* dtype float64'):
            bijector.inverse(tf.zeros([1, *shape], tf.float64))
