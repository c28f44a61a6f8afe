"""Tests the figures of `diagnose` against NumPy, TFP and autodiff."""

import catalogue
import numpy as np
import pytest
import tensorflow as tf
from plain_flows import flow_of, normal_batch
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

import tfp_glow
from tfp_glow import bijectors as tgb


def paths(bijector, batch):
    shape = batch.shape[1:]
    shapes = bijector.inverse_event_shape(shape)
    base = tfd.JointDistributionSequential([
        tfd.Sample(tfd.Normal(0., 1.), s) for s in shapes]) if isinstance(
            shapes, list) else tfd.Sample(tfd.Normal(0., 1.), shapes)
    diagnosis = tfp_glow.diagnose(tfd.TransformedDistribution(base, bijector), batch)
    return [layer.path for layer in diagnosis.layers]


def test_figures_of_a_chain(assert_close):
    """All figures equal those of NumPy, layer by layer."""
    rng = np.random.default_rng(1)
    shift, log_scale = rng.standard_normal([2, 4])
    kernel = rng.standard_normal([4, 4])
    weights = .5 * rng.standard_normal([2, 4])
    chain = tgb.Chain([
        tgb.ActNorm(tf.constant(shift), tf.constant(log_scale)), tgb.DenseConv1x1(kernel),
        tgb.Coupling(lambda kept: kept @ weights, tgb.AffineInner(tgb.scale_maps.exponential())),
        tgb.Squeeze(2)])
    y = normal_batch(6, 2, 2, 4)
    diagnosis = tfp_glow.diagnose(flow_of(chain, [1, 1, 16], tf.float64), y)
    assert [(layer.path, layer.kind) for layer in diagnosis.layers] == [
        ('act_norm', 'ActNorm'), ('dense_conv1x1', 'DenseConv1x1'), ('coupling', 'Coupling'),
        ('squeeze', 'Squeeze')]

    mixed = ((y - shift) * np.exp(-log_scale)) @ kernel
    raw = mixed[..., :2] @ weights
    singular = np.sqrt(np.linalg.eigvalsh(kernel.T @ kernel))
    log_dets = np.array([-4 * log_scale.sum(), 4 * np.linalg.slogdet(kernel)[1],
                         raw[..., 2:].sum((1, 2, 3)).mean(), 0.])
    act_norm, conv, coupling, squeeze = diagnosis.layers
    slopes = np.exp(raw[..., 2:])
    for layer, scales in ((act_norm, np.exp(-log_scale)), (conv, singular), (coupling, slopes)):
        assert_close([layer.least_scale, layer.greatest_scale], [scales.min(), scales.max()], 1e-9)
    assert squeeze.least_scale is squeeze.greatest_scale is None
    assert conv.condition_number == pytest.approx(np.linalg.cond(kernel), rel=1e-9)
    assert act_norm.condition_number is coupling.condition_number is squeeze.condition_number
    assert squeeze.condition_number is None
    assert_close([layer.log_det for layer in diagnosis.layers], list(log_dets), 1e-9)
    assert_close([layer.log_det_share for layer in diagnosis.layers],
                 list(np.abs(log_dets) / np.abs(log_dets).sum()), 1e-9)
    assert diagnosis.log_det == pytest.approx(log_dets.sum())

    z = np.concatenate([mixed[..., :2], (mixed[..., 2:] + raw[..., :2]) * slopes], -1)
    level, = diagnosis.levels
    assert (level.path, level.mean, level.std) == (
        'latents', pytest.approx(z.mean()), pytest.approx(z.std()))


@pytest.mark.parametrize('name', [
    'affine_odd', 'batch_norm', 'channels_reversed', 'channels_vector', 'checkerboard_mixture',
    'coupling_tfp', 'even_odd_images', 'iaf', 'maf_additive', 'maf_image', 'maf_spline',
    'mask_entries', 'scale', 'spline', 'whitening_pca'])
def test_scales_by_autodiff(name, assert_close):
    """Scales are the Jacobian's diagonal where entries move, or whitening's singular values."""
    bijector, event_shape = catalogue.build(name)
    y = tf.constant(normal_batch(3, *event_shape))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(y)
        x = bijector.inverse(tf.identity(y))
        flat = tf.reshape(x, [3, -1])
    size = flat.shape[1]
    jacobian = tf.reshape(tape.batch_jacobian(
        flat, y, experimental_use_pfor=False), [3, size, size]).numpy()
    moves = np.any(jacobian != np.eye(size), axis=(0, 2))
    scales = (np.linalg.svd(jacobian, compute_uv=False) if name.startswith('whitening')
              else np.abs(np.diagonal(jacobian, axis1=1, axis2=2)[:, moves]))
    layer, = tfp_glow.diagnose(flow_of(bijector, event_shape, tf.float64), y).layers
    assert_close([layer.least_scale, layer.greatest_scale], [scales.min(), scales.max()], 1e-9)
    if name.startswith('whitening'):
        assert layer.condition_number == pytest.approx(scales.max() / scales.min())


def test_a_layer_of_vectors_within_images():
    """Each pixel is an event of the coupling."""
    coupling = tgb.Coupling(lambda kept: kept, tgb.Multiplicative(lambda raw: raw), event_ndims=1)
    chain = tgb.Chain([tgb.ActNorm(tf.zeros([2]), tf.zeros([2])), coupling])
    batch = normal_batch(3, 2, 2, 2)
    layer = tfp_glow.diagnose(flow_of(chain, [2, 2, 2]), batch).layers[1]
    kept = batch[..., 0]
    assert (layer.least_scale, layer.greatest_scale) == (
        pytest.approx(np.exp(kept.min())), pytest.approx(np.exp(kept.max())))
    assert layer.log_det == pytest.approx(kept.sum((1, 2)).mean(), rel=1e-5)


def test_inner_transforms_that_are_not_elementwise_have_no_scale():
    coupling = tgb.Coupling(lambda kept: kept, lambda raw: tfb.ScaleMatvecDiag(1 + raw**2),
                            event_ndims=1)
    layer, = tfp_glow.diagnose(flow_of(coupling, [4]), normal_batch(3, 4)).layers
    assert layer.least_scale is None and layer.log_det < -.1


def test_a_glow_from_the_data_to_the_latents(make_flow, data, assert_close):
    flow = make_flow(reversible=False)
    before = [v.numpy() for v in flow.variables]
    diagnosis = tfp_glow.diagnose(flow, data)
    steps = [f'repeat[{k}]/{layer}' for k in range(2)
             for layer in ('act_norm', 'invertible_conv1x1', 'coupling')]
    assert [layer.path for layer in diagnosis.layers] == [
        *(f'level_0/{layer}' for layer in ('squeeze', *steps, 'exit')),
        *(f'level_1/{layer}' for layer in ('squeeze', *steps))]
    expected = np.mean(flow.bijector.inverse_log_det_jacobian(tf.identity(data), 3))
    assert_close([diagnosis.log_det, sum(layer.log_det for layer in diagnosis.layers)],
                 [expected] * 2)
    assert sum(layer.log_det_share for layer in diagnosis.layers) == pytest.approx(1)
    assert 0 < diagnosis.round_trip_error < 1e-5
    assert all(0 <= layer.round_trip_error < 1e-5 for layer in diagnosis.layers)

    latents = [z.numpy() for z in flow.bijector.inverse(tf.identity(data))]
    loc, log_scale = (next(v.numpy() for v in flow.variables if v.name.startswith(
        f'glow/top_prior/{name}')) for name in ('loc', 'log_scale'))
    latents[1] = (latents[1] - loc) / np.exp(log_scale)
    assert [level.path for level in diagnosis.levels] == ['level_0', 'level_1']
    assert_close([(level.mean, level.std) for level in diagnosis.levels],
                 [(z.mean(), z.std()) for z in latents], 1e-4)
    for old, v in zip(before, flow.variables, strict=True):
        np.testing.assert_array_equal(old, v)


def test_paths_of_other_containers(data):
    def scale():
        return tfb.Scale(2.)
    squeezes = [tgb.Squeeze(2), tgb.Squeeze(2)]
    assert paths(tgb.Chain([scale(), tgb.Chain([scale(), tgb.Squeeze(2)]), scale()]), data) == [
        'scale[0]', 'chain/scale', 'chain/squeeze', 'scale[1]']
    assert paths(tgb.Reversible(tgb.MultiScale(squeezes)), data) == [
        'level_0/squeeze', 'level_1/squeeze']
    assert paths(tfb.Chain([scale(), tgb.MultiScale(squeezes)]), data) == [
        'scale', 'multi_scale/level_0/squeeze', 'multi_scale/level_1/squeeze']
    assert paths(tgb.Repeat(lambda p: tgb.ShiftScale(p), tf.zeros([2, 1]), 2), data) == [
        'repeat[0]/shift_scale', 'repeat[1]/shift_scale']
    assert paths(tfb.Invert(tfb.Chain([scale()])), data) == ['invert_chain_of_scale']
    # A part that takes several latents is no layer of its own.
    mapped = tfb.Chain([tgb.MultiScale(squeezes), tfb.JointMap([scale(), scale()])], name='mapped')
    assert paths(mapped, data) == ['mapped']


def test_a_base_that_does_not_know_its_moments(data, assert_close):
    """The latents are then not standardised."""
    dependent = tfd.JointDistributionSequential([
        tfd.Sample(tfd.Normal(0., 1.), [4, 4, 2]),
        lambda z: tfd.Sample(tfd.Normal(tf.reduce_mean(z), 5.), [2, 2, 8])])
    levels = tgb.MultiScale([tgb.Squeeze(2), tgb.Squeeze(2)])
    z = levels.inverse(data)[1].numpy()
    level = tfp_glow.diagnose(tfd.TransformedDistribution(dependent, levels), data).levels[1]
    assert_close([level.mean, level.std], [z.mean(), z.std()])

    @tfd.JointDistributionCoroutine
    def coroutine():
        for shape in ([4, 4, 2], [2, 2, 8]):
            yield tfd.JointDistributionCoroutine.Root(tfd.Sample(tfd.Normal(0., 5.), shape))
    level = tfp_glow.diagnose(tfd.TransformedDistribution(coroutine, levels), data).levels[1]
    assert_close([level.mean, level.std], [z.mean(), z.std()])

    class Untold(tfd.Normal):
        def _mean(self):
            raise NotImplementedError
    silent = flow_of(tfb.Scale(2.), [8, 8, 1]).copy(
        distribution=tfd.Sample(Untold(0., 1.), [8, 8, 1]))
    level, = tfp_glow.diagnose(silent, data).levels
    assert_close([level.mean, level.std], [np.mean(data) / 2, np.std(data) / 2])


def test_conditional_flow(data):
    flow = tfp_glow.flows.glow((8, 8, 1), 1, 1, width=4, classes=3)
    tfp_glow.initialize(flow, data, tf.zeros([32], tf.int32))
    diagnosis = tfp_glow.diagnose(flow, data, condition=np.arange(32) % 3)
    assert diagnosis.layers[-1].path == 'level_0/class_prior'
    assert (diagnosis.layers[-1].least_scale, diagnosis.layers[-1].greatest_scale) == (1., 1.)
    assert diagnosis.warnings == ()
    with pytest.raises(ValueError, match='condition must be given to glow'):
        tfp_glow.diagnose(flow, data)


@pytest.mark.parametrize('change, error, message', [
    ({'flow': tfb.Scale(2.)}, TypeError, 'flow must be a tfd.TransformedDistribution; got Scale'),
    ({'batch': np.zeros([2, 3])}, ValueError, r'event_shape=\(2,\); got shape=\(2, 3\)'),
    ({'batch': np.zeros([0, 2])}, ValueError, r'B > 0 .*got shape=\(0, 2\)'),
    ({'batch': 1.}, ValueError, r'got shape=\(\)'),
    ({'batch': np.zeros([2, 2], np.uint8)}, ValueError, 'batch must be floating.*uint8'),
    ({'batch': [[0., np.nan]]}, ValueError, 'batch must be finite'),
    ({'condition': [1.]}, ValueError, 'condition must not be given to scale')])
def test_bad_arguments_are_named(change, error, message):
    arguments = {'flow': flow_of(tfb.Scale(2.), [2]), 'batch': np.zeros([3, 2]), **change}
    with pytest.raises(error, match=message):
        tfp_glow.diagnose(**arguments)
