"""Tests couplings over every split against masks in NumPy and TFP's RealNVP."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from traced_graphs import operations

from tfp_glow import bijectors as tgb

RNG = np.random.default_rng(5)
splits = tgb.splits
BOARD = np.indices([4, 6]).sum(0)[..., np.newaxis] % 2
ODD_BOARD = np.indices([3, 5]).sum(0)[..., np.newaxis] % 2
ENTRIES = np.random.default_rng(2).random([2, 3, 2]) < .5
PIXELS = np.random.default_rng(3).random([4, 6, 1]) < .5


def columns(which, size):
    return np.isin(np.arange(size), which)


# Name -> (split, event shape, mask of the conditioning entries, whether the network sees all).
SPLITS = {
    'channels': (splits.channels(), (2, 1, 5), columns([0, 1, 2], 5), False),
    'channels_reversed': (splits.channels(reverse=True), (2, 1, 5), columns([3, 4], 5), False),
    'channels_vector': (splits.channels(), (4,), columns([0, 1], 4), False),
    'even': (splits.even_odd(0), (2, 1, 5), columns([0, 2, 4], 5), False),
    'odd': (splits.even_odd(1), (2, 1, 5), columns([1, 3], 5), False),
    'even_vector': (splits.even_odd(), (6,), columns([0, 2, 4], 6), False),
    'odd_vector': (splits.even_odd(1), (6,), columns([1, 3, 5], 6), False),
    'checkerboard_0': (splits.checkerboard(0), (4, 6, 2), BOARD == 0, True),
    'checkerboard_1': (splits.checkerboard(1), (4, 6, 2), BOARD == 1, True),
    'halves_0': (splits.checkerboard(0, halves=True), (4, 6, 2), BOARD == 0, False),
    'halves_1': (splits.checkerboard(1, halves=True), (4, 6, 2), BOARD == 1, False),
    'odd_width_0': (splits.checkerboard(0), (3, 5, 2), ODD_BOARD == 0, True),
    'odd_width_1': (splits.checkerboard(1), (3, 5, 2), ODD_BOARD == 1, True),
    'mask_pixels': (splits.mask(PIXELS), (4, 6, 2), PIXELS, True),
    'mask_entries': (splits.mask(ENTRIES), (2, 3, 2), ENTRIES, True),
    'mask_channels': (splits.mask(columns([1], 3)), (2, 1, 3), columns([1], 3), True),
    'mask_vector': (splits.mask(columns([0, 3], 4)), (4,), columns([0, 3], 4), True),
}
each = pytest.mark.parametrize('name', SPLITS)


def case(name, batch=3):
    split, event_shape, conditions, whole = SPLITS[name]
    event = tf.constant(RNG.standard_normal([batch, *event_shape]))
    return split, event, np.broadcast_to(conditions, event_shape), whole


def counted(tensor):
    """Returns the multiset of the values of each event, as a sorted array."""
    return np.sort(np.reshape(tensor, [len(tensor), -1]), -1)


@each
def test_apart_and_together(name):
    split, event, conditions, whole = case(name)
    kept, moved = split.apart(event)
    np.testing.assert_array_equal(counted(moved), counted(event.numpy()[:, ~conditions]))
    if whole:
        np.testing.assert_array_equal(kept, np.where(conditions, event, 0))
    else:
        np.testing.assert_array_equal(counted(kept), counted(event.numpy()[:, conditions]))
    np.testing.assert_array_equal(split.together(kept, moved), event)
    # `together` ignores the first argument where entries move.
    changed = split.together(kept + 1, 2 * moved)
    np.testing.assert_array_equal(changed, np.where(conditions, event + 1, 2 * event))


@each
def test_unknown_batch(name):
    split, event, _, _ = case(name)

    @tf.function(input_signature=[tf.TensorSpec([None, *event.shape[1:]], event.dtype)])
    def there_and_back(event):
        kept, moved = split.apart(event)
        again = split.together(kept, moved)
        assert again.shape.as_list() == event.shape.as_list()
        return again
    np.testing.assert_array_equal(there_and_back(event), event)


@pytest.mark.parametrize('halves', [True, False])
def test_checkerboard_of_unknown_sides(halves):
    event = tf.constant(RNG.standard_normal([2, 3, 4, 1]))
    coupling = tgb.Coupling(tf.sin, tgb.Additive(), splits.checkerboard(1, halves))
    traced = tf.function(coupling.inverse, [tf.TensorSpec([None, None, None, 1], tf.float64)])
    np.testing.assert_allclose(traced(event), coupling.inverse(event))


@each
def test_affine_against_numpy(name, assert_close):
    """The network mixes all its inputs, so that each of its outputs has its own value."""
    split, y, conditions, whole = case(name)
    event_shape = y.shape[1:]
    count = event_shape[-1]
    kept, moved = split.apart(y)
    inputs = kept.shape[-1]
    weights = RNG.standard_normal([inputs, 2 * split.channels_of(kept, moved)])

    def mix(kept):  # It adds neighbours, so that a masked pixel depends on others.
        axis = -2 if len(kept.shape) > 2 else -1
        return kept + .5 * tf.roll(kept, 1, axis)
    coupling = tgb.Coupling(lambda kept: tf.sin(mix(kept) @ weights),
                            tgb.AffineInner(tf.sin), split, len(event_shape))
    x, log_det = coupling.inverse(y), coupling.inverse_log_det_jacobian(y)
    if whole:
        raw = np.sin(mix(np.where(conditions, y, 0)).numpy() @ weights)
        shift, s = raw[..., :count], np.sin(raw[..., count:])
        assert_close(x, np.where(conditions, y, (y + shift) * np.exp(s)), 1e-12)
        assert_close(log_det, np.sum(s * ~conditions, axis=tuple(range(1, y.shape.rank))), 1e-12)
    else:
        shift, s = np.split(np.sin(mix(kept).numpy() @ weights), 2, -1)
        s = np.sin(s)
        assert_close(split.apart(x)[1], (moved + shift) * np.exp(s), 1e-12)
        assert_close(split.apart(x)[0], kept, 1e-12)
        assert_close(log_det, np.sum(s, axis=tuple(range(1, s.ndim))), 1e-12)
    assert_close(coupling.forward(tf.identity(x)), y, 1e-12)
    assert_close(coupling.forward_log_det_jacobian(tf.identity(x)), -log_det, 1e-12)


@each
def test_the_inner_transform_sees_only_what_moves(name):
    split, y, conditions, _ = case(name)
    outputs = 2 * split.channels_of(*split.apart(y))
    seen = []

    class Watched(tgb.AffineInner):
        def __call__(self, raw):
            seen.append(int(np.prod(raw.shape[1:])))
            return super().__call__(raw)
    weights = tf.ones([split.apart(y)[0].shape[-1], outputs], y.dtype)
    tgb.Coupling(lambda kept: kept @ weights, Watched(), split, conditions.ndim).inverse(y)
    assert seen == [2 * np.sum(~conditions)]


def test_a_split_of_channels_costs_a_split():
    coupling = tgb.Coupling(tf.sin, tgb.Additive())
    counts = operations(coupling.inverse, tf.TensorSpec([2, 2, 2, 4]))
    assert counts['SplitV'] + counts['Split'] == 1 and counts['ConcatV2'] == 1
    assert not counts.keys() & {'GatherV2', 'SelectV2', 'Transpose'}


@pytest.mark.parametrize('name', ['checkerboard_0', 'halves_0', 'mask_pixels', 'even'])
def test_constant_memory_runs_the_network_once_more(name):
    split, y, _, _ = case(name)
    kept, moved = split.apart(y)
    weights = tf.Variable(RNG.standard_normal(
        [1, 1, kept.shape[-1], split.channels_of(kept, moved)]))

    def convolve(kept):
        return tf.nn.conv2d(tf.sin(kept), weights, 1, 'SAME')
    bijector = tgb.Reversible(tgb.Coupling(convolve, tgb.Additive(), split))

    def step(y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(bijector.inverse(y)**2)
        return tape.gradient(loss, weights)
    assert operations(step, tf.TensorSpec(y.shape, y.dtype))['Conv2D'] == 2


def test_vectors_against_real_nvp(assert_close):
    """TFP's forward is x2 * exp(log_scale) + shift; ours is (y2 + shift) * exp(log_scale)."""
    weights = RNG.standard_normal([2, 4])
    y = tf.constant(RNG.standard_normal([3, 4]))

    def raw(kept):
        return tf.tanh(kept @ weights)

    def shift_and_log_scale(kept, _):
        shift, log_scale = tf.split(raw(kept), 2, -1)
        return shift * tf.exp(log_scale), log_scale
    theirs = tfb.RealNVP(2, shift_and_log_scale_fn=shift_and_log_scale)
    ours = tgb.Coupling(raw, tgb.AffineInner(tgb.scale_maps.exponential()), event_ndims=1)
    assert_close(ours.inverse(y), theirs.forward(y), 1e-12)
    assert_close(ours.inverse_log_det_jacobian(y), theirs.forward_log_det_jacobian(y), 1e-12)
    x = tf.identity(theirs.forward(y))
    assert_close(ours.forward(x), theirs.inverse(x), 1e-12)


CONDITION = tf.constant(RNG.standard_normal([3, 4, 6, 1]))


def conditional(split, weights):
    def conditioner(kept, condition):
        return tf.tanh(tf.roll(kept, 1, -2) @ weights + tf.sin(condition))
    return tgb.Coupling(conditioner, tgb.AffineInner(), split)


def test_condition(assert_close):
    weights = RNG.standard_normal([2, 4])
    coupling = conditional(splits.checkerboard(1), weights)
    y = tf.constant(RNG.standard_normal([3, 4, 6, 2]))
    x = coupling.inverse(y, condition=CONDITION)
    raw = np.tanh(np.roll(np.where(BOARD == 1, y, 0), 1, 2) @ weights + np.sin(CONDITION))
    expected = (y + raw[..., :2]) / (1 + np.exp(-raw[..., 2:] - 2))
    assert_close(x, np.where(BOARD == 1, y, expected), 1e-12)
    assert_close(coupling.forward(tf.identity(x), condition=CONDITION), y, 1e-12)
    with pytest.raises(ValueError, match='condition must be given'):
        coupling.inverse(y)


@pytest.mark.parametrize('jit_compile', [False, True])
def test_conditions_in_repeat(assert_close, jit_compile):
    """Constant memory gives the gradients of backprop by the input, condition and weights."""
    weights = tf.Variable(RNG.standard_normal([3, 2, 4]))
    y = tf.constant(RNG.standard_normal([3, 4, 6, 2]))

    def gradients(reversible):
        @tf.function(jit_compile=jit_compile)
        def run(y, condition):
            repeat = tgb.Repeat(lambda w: tgb.Chain([
                tgb.Reverse(2, tf.float64), conditional(splits.checkerboard(0), w)]),
                weights, 3, reversible)
            with tf.GradientTape() as tape:
                tape.watch([y, condition])
                x = repeat.inverse(y, condition=condition)
                log_det = repeat.inverse_log_det_jacobian(y, condition=condition)
                loss = tf.reduce_sum(tf.sin(x)) + tf.reduce_sum(tf.cos(log_det))
            return [tf.convert_to_tensor(g)
                    for g in tape.gradient(loss, [y, condition, weights])]
        return run(y, CONDITION)
    assert_close(gradients(True), gradients(False), 1e-8)


def test_variables_of_the_scale_map(tmp_path, assert_close):
    def make():
        factor = tf.Variable([.5, 2.], name='factor')
        scale_map = tgb.scale_maps.bounded_tanh(factor)
        return factor, tgb.Coupling(lambda kept: tf.concat([kept, kept], -1),
                                    tgb.AffineInner(scale_map))
    factor, coupling = make()
    assert [v is factor for v in coupling.trainable_variables] == [True]
    y = tf.ones([1, 1, 1, 4])
    before = coupling.inverse_log_det_jacobian(y)
    assert_close(before, 2.5 * np.tanh([1.]))
    path = tf.train.Checkpoint(coupling=coupling).write(str(tmp_path / 'checkpoint'))
    factor.assign([1., 1.])
    restored = make()[1]
    tf.train.Checkpoint(coupling=restored).read(path).assert_consumed()
    assert_close(restored.inverse_log_det_jacobian(y), before)
    scale = tgb.Coupling(tf.identity, tgb.Multiplicative(tgb.scale_maps.bounded_tanh(factor)))
    assert scale.trainable_variables == (factor,)


def test_initialize_shows_the_network_what_it_will_see():
    class Recorder:
        seen = None

        def __call__(self, kept):
            return tf.concat([kept, kept], -1)

        def initialize(self, kept):
            self.seen = kept
    recorder = Recorder()
    split, y, conditions, _ = case('checkerboard_1')
    tgb.Coupling(recorder, split=split)._initialize(y)
    np.testing.assert_array_equal(recorder.seen, np.where(conditions, y, 0))
