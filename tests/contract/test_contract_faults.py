"""The contract catches every fault, and its error says what is wrong."""

import faulty
import keras
import numpy as np
import pytest
import tensorflow as tf
from faulty_conditions import ConditionalShift, FirstRow
from tensorflow_probability import bijectors as tfb

from tfp_glow import bijectors as tgb
from tfp_glow import testing

CONDITION = tf.constant([1., 2., 4.])


def scale():
    return tf.Variable([2., 3.])


def kernel():
    return tf.Variable([[.5, .25]])


def masked(mask):
    return faulty.Masked(tf.Variable([[2., .5], [.25, 3.]]), tf.constant(mask))


def twice_in_a_loop():
    kernels = tf.Variable([[[.5, .3]], [[.2, .1]]])
    return tgb.Repeat(lambda p: faulty.Coupled(p, runs=2), kernels, times=2)


def dense(outputs):
    layer = keras.layers.Dense(outputs)
    layer.build((None, 1))
    return layer


def real_nvp():
    layer = dense(1)

    def shift(kept, _):
        return tf.squeeze(layer(kept[..., tf.newaxis]), -1), None
    return tfb.RealNVP(num_masked=1, shift_and_log_scale_fn=shift)


def check(bijector, event_shape=(2,), **options):
    options = dict({'jit_compile': False, 'saved_model': False}, **options)
    testing.assert_bijector_contract(bijector, event_shape, **options)


WRONG_LOG_DET = 'the inverse log-det must be that of the Jacobian'
FAULTS = {
    'inverse': (lambda: faulty.Scale(scale(), wrong=1.1), 'forward.inverse.y.. must be y'),
    'log_det': (lambda: faulty.Scale(scale(), log_det=1.1), WRONG_LOG_DET),
    'sign': (lambda: faulty.Scale(scale(), log_det=-1.), WRONG_LOG_DET),
    'unsummed': (faulty.PerEntry, r'log-det must be one number per event; got shape=\(6, 2\)'),
    'mask': (lambda: masked([[1., 1.], [1., 1.]]), WRONG_LOG_DET),
    'dtype': (lambda: faulty.Widens(scale()), r"keep dtype float32; got \['float32', 'float64'\]"),
    'hidden_attribute': (lambda: faulty.KerasHeld(dense(2)), 'variables must list .*kernel'),
    'hidden_closure': (real_nvp, 'trainable_variables must list what is read; missing: .*kernel'),
    'twice': (lambda: faulty.Coupled(kernel(), runs=2), 'conditioner once; .* twice: .*MatMul'),
    'twice_plain': (lambda: faulty.PlainCoupled(kernel()), 'inverse .* computed twice: .*MatMul'),
    'twice_in_a_loop': (twice_in_a_loop, 'computed twice: .*MatMul'),
    'stale': (lambda: faulty.StaleCache(scale()), 'inverse of the same tensor after an assignm'),
    'stale_tfp': (lambda: tfb.Scale(scale()), 'inverse of the same tensor after an assignment'),
    'unrecorded': (lambda: faulty.Unrecorded(scale()), 'inverse after an evaluation by .* is None'),
    'baked': (lambda: faulty.Baked(scale()), 'assigning to the variables changes nothing'),
    'half_baked': (lambda: faulty.HalfBaked(scale(), tf.Variable(2.)),
                   'the gradient of inverse by .* is None'),
    'no_gradient': (lambda: faulty.Stopped(scale()), 'the gradient of inverse by .* is None'),
    'unread': (lambda: faulty.Unread(scale()), 'the gradient of inverse by Variable:0 is None'),
    'unsaved': (lambda: faulty.Unsaved(scale()), r'must restore every variable; lost: .*Variable'),
    'no_parameters': (faulty.NoParameters, r'parameters=dict.locals\(\)'),
    'shared': (lambda: faulty.Shared(scale()), 'the original of a changed deepcopy'),
    'loose_copy': (lambda: faulty.LooseConstructor(scale()), r'copy\(\): an unknown keyword'),
    'loose_call': (lambda: faulty.LooseMethods(scale()), 'inverse: an unknown keyword argument'),
}


@pytest.mark.parametrize('name', FAULTS)
def test_fault(name):
    make, complaint = FAULTS[name]
    with pytest.raises(AssertionError, match=complaint):
        check(make())


@pytest.mark.parametrize('make', [
    lambda: faulty.Scale(scale()), lambda: faulty.Coupled(kernel()),
    lambda: masked([[1., 0.], [1., 1.]])], ids=['scale', 'coupled', 'masked'])
def test_without_the_fault(make):
    check(make())


@pytest.mark.parametrize('make, event_shape, complaint', [
    (lambda: faulty.Pixels(tf.Variable([.5, .25])), (2, 1, 2), WRONG_LOG_DET),
    (faulty.NoEventShape, (4, 2, 1), r'forward_event_shape must be \(4, 2, 1\); got \(2, 1, 4\)'),
    (faulty.NoEventShapeTensor, (4, 2, 1), 'inverse_event_shape_tensor')])
@pytest.mark.parametrize('assert_', [check, testing.assert_invertible])
def test_faults_of_images(make, event_shape, complaint, assert_):
    """The cheap part of the contract catches them as well."""
    with pytest.raises(AssertionError, match=complaint):
        assert_(make(), event_shape)


def test_what_a_saved_model_cannot_hold():
    with pytest.raises(AssertionError, match='SavedModel cannot be written: .*not reachable'):
        check(faulty.Table(tf.constant([2., 3.])), saved_model=True)


def test_unlike_in_float32():
    def another(dtype):
        return faulty.Scale(tf.constant([2., 3. if dtype == tf.float64 else 4.], dtype))
    with pytest.raises(AssertionError, match='inverse in float32 must be that in float64'):
        check(another)

    def more(dtype):
        kind = faulty.Scale if dtype == tf.float64 else faulty.Unread
        return kind(tf.Variable([2., 3.], dtype=dtype))
    with pytest.raises(AssertionError, match='in float32 must have 1 variables.*; got 2'):
        check(more)


def test_an_error_says_in_which_check():
    with pytest.raises(TypeError) as caught:
        check(faulty.KnownBatch(scale()))
    assert any('tf.function with a None batch' in note for note in caught.value.__notes__)


@pytest.mark.parametrize('make, complaint', [
    (lambda: ConditionalShift(sensitivity=0.), 'another condition changes nothing'),
    (lambda: ConditionalShift(stop=True), 'gradient of inverse by the condition is None'),
    (lambda: ConditionalShift(default=tf.zeros([1])), 'inverse must refuse to go without'),
    (FirstRow, 'each row must see its own condition')])
def test_faults_of_conditions(make, complaint):
    with pytest.raises(AssertionError, match=complaint):
        check(make(), condition=CONDITION)


def test_conditions_without_the_fault():
    check(ConditionalShift(), condition=CONDITION)
    with pytest.raises(ValueError, match=r'at least two rows, .*; got shape=\(1,\)'):
        check(ConditionalShift(), condition=CONDITION[:1])


def test_what_only_looks_repeated():
    """One matrix on two inputs, two on one input and a transposed one are no repetition."""
    first, second = tf.Variable(np.ones([2, 2])), tf.Variable(np.ones([2, 2]))

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float64)])
    def function(y):
        return (y @ first, y @ second, tf.exp(y) @ first,
                tf.linalg.matmul(y, first, transpose_b=True))
    assert not testing.evaluations.repeated_operations(function.get_concrete_function(), 1)
