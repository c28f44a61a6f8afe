"""Tests the maths of the out-of-distribution report against NumPy (see test_ood_program.py)."""

import contextlib
import io
import lzma
import math
import types
import zlib

import catalogue
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from scipy import stats
from tensorflow_probability import distributions as tfd

import tfp_glow
from tfp_glow import bijectors as tgb
from zoo.data import synthetic
from zoo.outliers import likelihoods, scores
from zoo.outliers import report as outlier_report

GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.integers(0, 17, [12, 8, 8, 1], np.uint8)


def test_auroc_counts_pairs():
    own, other = GENERATOR.integers(0, 9, 40).astype(float), GENERATOR.integers(2, 12, 30) * 1.
    other[:3] = np.inf
    pairs = np.sign(np.minimum(other, 99)[:, np.newaxis] - own)
    assert scores.auroc(own, other) == pytest.approx(np.mean((pairs + 1) / 2))
    other[:3] = np.nan
    assert scores.auroc(own, other) == pytest.approx(np.mean((pairs + 1) / 2))
    assert scores.auroc(own, own) == .5
    assert scores.auroc(own, own - 20) == 0 and scores.auroc(own, own + 20) == 1


def test_typicality_of_normal_likelihoods():
    """The own data have -log p ~ N(7, 1): quantiles and rates are the Normal's."""
    train, validation, own = 7 + GENERATOR.standard_normal([3, 40_000])
    test = scores.Typicality.fit(train, validation, groups=(1, 10))
    assert test.entropy == train.mean()
    assert test.standard_error == pytest.approx(1 / 200, rel=.02)
    for size, epsilon in test.epsilons.items():
        assert epsilon == pytest.approx(stats.norm.ppf(.995) / math.sqrt(size), rel=.05)
        assert test.rejected(own, size) == pytest.approx(.01, abs=.004)
        # Too likely is as strange as too unlikely.
        for shift in (-1, 1):
            expected = stats.norm.sf(epsilon - 1, scale=1 / math.sqrt(size))
            assert test.rejected(own + shift, size) == pytest.approx(expected, abs=.03)
    np.testing.assert_array_equal(test.score(np.array([test.entropy - 2, np.inf])), [2, np.inf])
    assert test.rejected(np.full(25, np.inf), 10) == 1


def test_typicality_refuses_what_it_cannot_judge():
    with pytest.raises(ValueError, match='train must hold 2 images or more.*got 1, 0 of them'):
        scores.Typicality.fit([1.], [1.])
    with pytest.raises(ValueError, match='validation must hold 1 .*got 2, 1 of them without'):
        scores.Typicality.fit([1., 2.], [1., np.inf])
    test = scores.Typicality.fit([1., 2.], [1., 2.])
    with pytest.raises(ValueError, match='nats must hold 10 images or more; got 9'):
        test.rejected(np.ones(9), 10)


@pytest.mark.parametrize('channels', [1, 3])
def test_compressors_lose_nothing(channels):
    image = np.repeat(IMAGES[0], channels, axis=2)
    image[..., 0] += 1
    for name, read in (('png', lambda file: np.asarray(Image.open(io.BytesIO(file))).tobytes()),
                       ('zlib', zlib.decompress), ('lzma', lambda file: lzma.decompress(
                           file, lzma.FORMAT_RAW, filters=[{'id': lzma.FILTER_LZMA2}]))):
        file = scores.COMPRESSORS[name](image)
        assert read(file) == image.tobytes(), name
        both = scores.compressed_bits(np.stack([image, np.zeros_like(image)]), name)
        assert both[0] == 8 * len(file) > both[1], name


@pytest.mark.parametrize('base', [
    tfd.Independent(tfd.Normal(tf.zeros([8, 8, 1]), 1.), 3),
    tfd.Sample(tfd.Normal(0., 1.), [8, 8, 1])], ids=['independent', 'sample'])
def test_likelihood_of_an_affine_flow(base):
    """z = (y + shift) exp(log_scale) acts on each pixel, so that all has a closed form."""
    shift, log_scale = GENERATOR.normal(size=[2, 8, 8, 1]).astype(np.float32)
    flow = tfd.TransformedDistribution(base, tgb.ShiftScale(shift, log_scale))
    model = tfp_glow.FlowModel(flow, bins=17, counted_dims=50)
    likelihood = likelihoods.ImageLikelihood(model, seed=5)
    y = tfp_glow.dequantization.dequantize(IMAGES, 17, [0, 5]).numpy()
    surprise = -stats.norm.logpdf((y + shift) * np.exp(log_scale)) + math.log(17)
    bits = (surprise - log_scale).sum(axis=(1, 2, 3)) / math.log(2)
    np.testing.assert_allclose(likelihood.bits_per_dim(IMAGES), bits / 50, rtol=1e-5)
    np.testing.assert_allclose(
        likelihood.bits_per_pixel(IMAGES), (surprise - log_scale.mean())[..., 0] / math.log(2),
        rtol=1e-4, atol=1e-4)


def test_bits_map_of_levels(flow):
    """Each latent's surprise lies in its cell, and all bits are shared out."""
    model = tfp_glow.FlowModel(flow, bins=17)
    likelihood = likelihoods.ImageLikelihood(model)
    bits_map = likelihood.bits_per_pixel(IMAGES)
    np.testing.assert_allclose(bits_map.sum(axis=(1, 2)), 64 * likelihood.bits_per_dim(IMAGES),
                               rtol=1e-5)
    y = model.to_data(IMAGES, [0, 0])
    priors = [(0., 1.), (flow.distribution.model[1].mean(), flow.distribution.model[1].stddev())]
    expected = np.zeros([12, 8, 8])
    for z, (loc, scale), size in zip(flow.bijector.inverse(y), priors, (2, 4)):
        surprise = -stats.norm.logpdf(z, loc, scale).sum(-1) / size**2
        for i, j in np.ndindex(8, 8):
            expected[:, i, j] += surprise[:, i // size, j // size]
    log_det = flow.bijector.inverse_log_det_jacobian(tf.identity(y), 3).numpy()
    expected += (math.log(17) - log_det / 64)[:, np.newaxis, np.newaxis]
    np.testing.assert_allclose(bits_map, expected / math.log(2), rtol=1e-4, atol=1e-4)


def test_a_flow_given_labels_is_a_mixture():
    images = np.concatenate([IMAGES // 9, 16 - IMAGES // 9])  # Dark and light have unlike labels.
    flow = tfp_glow.flows.glow((8, 8, 1), 1, 1, width=4, classes=3, name='by_class')
    model = tfp_glow.FlowModel(catalogue.perturb(flow, 0, scale=.3), bins=17)
    by_label = np.stack([model.bits(images, [0, 0], tf.fill([24], k)) for k in range(3)])
    likelihood = likelihoods.ImageLikelihood(model, classes=3)
    mixture = -np.log2(np.mean(np.exp2(-64 * by_label.astype(np.longdouble)), axis=0)) / 64
    np.testing.assert_allclose(likelihood.bits_per_dim(images), mixture.astype(float), rtol=1e-5)
    assert len(set(by_label.argmin(0))) > 1
    np.testing.assert_allclose(likelihood.bits_per_pixel(images).sum(axis=(1, 2)) / 64,
                               by_label.min(0), rtol=1e-5)


def test_densities_that_are_no_numbers_cost_infinite_bits():
    model = types.SimpleNamespace(
        flow=types.SimpleNamespace(event_shape=(1, 1, 1)), counted_dims=1,
        averaged_weights=contextlib.nullcontext,
        bits=lambda images, *_: tf.constant([np.nan, np.inf, -np.inf, 2.])[:tf.shape(images)[0]])
    bits = likelihoods.ImageLikelihood(model).bits_per_dim(np.zeros([4, 1, 1, 1], np.uint8))
    np.testing.assert_allclose(bits, [np.inf, np.inf, np.inf, 2], rtol=1e-6)


def test_bits_map_refuses_other_bases():
    base = tfd.Independent(tfd.MultivariateNormalDiag(tf.zeros([8, 8, 1])), 2)
    model = tfp_glow.FlowModel(
        tfd.TransformedDistribution(base, tgb.ShiftScale(shift=0.)), bins=17)
    with pytest.raises(ValueError, match='base of the flow must be independent scalars .*got tfp.'):
        likelihoods.bits_per_pixel(model, IMAGES, [0, 0])


@pytest.mark.parametrize('kind', synthetic.KINDS)
def test_synthetic_images(kind):
    images = np.repeat(IMAGES, 3, axis=3) // np.array([1, 2, 3], np.uint8)
    made = synthetic.make(kind, images, 17, seed=1)
    assert made.dtype == np.uint8 and made.shape == images.shape and made.max() <= 16
    np.testing.assert_array_equal(made, synthetic.make(kind, images, 17, seed=1))
    flat, own = (x.reshape(12, 64, 3) for x in (made, images))
    roughness = np.abs(np.diff(made.astype(int), axis=1)).mean()
    if kind == 'constant':
        assert roughness == 0 and len(np.unique(flat[:, 0], axis=0)) > 9
    elif kind == 'smooth':
        assert roughness < 3 and np.all(flat.max((1, 2)) - flat.min((1, 2)) == 16)
    elif kind == 'noise':
        assert roughness > 4 and np.array_equal(np.unique(made), np.arange(17))
    elif kind == 'inverted':
        np.testing.assert_array_equal(made, 16 - images)
    else:
        assert np.mean(flat == own) < .5
        for pixels, others in zip(flat, own):
            assert sorted(map(tuple, pixels)) == sorted(map(tuple, others))


def test_the_known_failure_is_said():
    """Other data have fewer bits, or more, some of them infinite."""
    bits = {name: np.linspace(-.1, .1, 20) + mean for name, mean in (
        ('train', 3.), ('validation', 3.), ('test', 3.), ('easy', 1.), ('hard', 9.))}
    bits['hard'][0] = np.inf
    kinds = {name: np.zeros([20, 2, 2, 1], np.uint8) for name in bits}
    trained = types.SimpleNamespace(
        run=types.SimpleNamespace(model='glow', dataset='digits'),
        data=types.SimpleNamespace(describe=lambda: 'digits, described.'),
        model=types.SimpleNamespace(counted_dims=4))

    def made():
        return outlier_report.make(trained, kinds, bits, (1, 10), 'png')
    report = made()
    own, easy, hard = report['sets']
    assert own['below_own_median'] == .5
    assert own['auroc'] is None and own['rejected']['1'] <= .1
    assert easy['auroc'] == {'bits': 0., 'typicality': 1., 'compressor': 0.}
    assert hard['auroc'] == {'bits': 1., 'typicality': 1., 'compressor': 1.}
    assert easy['rejected'] == hard['rejected'] == {'1': 1., '10': 1.}
    assert report['verdicts'] == [
        'The flow likes easy BETTER than its own data: 1.000 +- 0.014 bits/dim against '
        '3.000 +- 0.014; 100% of them get fewer bits than half of its own. Low likelihood as a '
        'sign of strangeness has AUROC 0.000: it is misled.',
        'The flow likes hard less than its own data: 9.005 +- 0.014 (1 infinite) bits/dim against '
        '3.000 +- 0.014; 0% of them get fewer bits than half of its own. Low likelihood as a sign '
        'of strangeness has AUROC 1.000.']
    text = outlier_report.text(report)
    assert '| easy | 20 | 1.000 +- 0.014 | 100.0% | 100.0% | 0.000 | 1.000 | 0.000 |' in text
    assert all(verdict in text for verdict in report['verdicts'])
    bits['hard'][:] = np.inf
    assert made()['sets'][2]['bits_per_dim'] is None
    assert '| hard | 20 | infinite |' in outlier_report.text(made())
