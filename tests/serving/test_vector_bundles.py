"""Tests bundles of flows over vectors against the flows themselves."""

import json
import types

import keras
import numpy as np
import pytest
import sampling
import tensorflow as tf
from PIL import Image
from tensorflow_probability import distributions as tfd

import tfp_glow
from tfp_glow import bijectors as tgb
from tfp_glow import serving
from zoo import data
from zoo.bundles import reading as bundles
from zoo.bundles import verification
from zoo.bundles import writing as exporting
from zoo.cli import errors
from zoo.data import tables
from zoo.runs.run import Trained

MEAN, STD = np.array([3., -200.]), np.array([.5, 40.])


def make_flow():
    """Returns two affine couplings over [2] whose networks are random."""
    def coupling(seed):
        keras.utils.set_random_seed(seed)
        network = keras.Sequential([keras.Input([1]), keras.layers.Dense(8, 'tanh'),
                                    keras.layers.Dense(2)])
        return tgb.Coupling(network, split=tgb.splits.even_odd(seed % 2), event_ndims=1)
    chain = tgb.Chain([coupling(0), coupling(1)])
    return tfp_glow.flows.transformed(tfd.Sample(tfd.Normal(0., 1.), 2), chain, 'pair')


@pytest.fixture(scope='module')
def flow():
    return make_flow()


@pytest.fixture(scope='module')
def vectors():
    return (MEAN + STD * np.random.default_rng(2).normal(size=[5, 2])).astype(np.float32)


@pytest.fixture(scope='module')
def path(flow, vectors, tmp_path_factory):
    return serving.export(flow, tmp_path_factory.mktemp('vectors'), mean=MEAN, std=STD,
                          columns=['height', 'weight'], golden_vectors=vectors)


@pytest.fixture(scope='module')
def loaded(path):
    return tf.saved_model.load(path)


def standardised(x):
    return ((np.asarray(x) - MEAN) / STD).astype(np.float32)


def test_bundle_says_what_it_is(path, loaded):
    about = json.loads((path / 'bundle.json').read_text())
    assert about['kind'] == 'vectors' and about['columns'] == ['height', 'weight']
    assert about['event_shape'] == [2] and about['latent_shapes'] == [[2]]
    assert about['mean'] == list(MEAN) and about['std'] == list(STD) and about['classes'] is None
    names = ['sample', 'log_prob', 'encode', 'decode', 'interpolate']
    assert about['signatures'] == names
    assert sorted(loaded.signatures) == sorted([*names, 'serving_default'])
    inputs = {n: set(loaded.signatures[n].structured_input_signature[1]) for n in names}
    assert inputs == {'sample': {'n', 'temperature', 'seed'}, 'log_prob': {'vectors'},
                      'encode': {'vectors'}, 'decode': {'level_0'},
                      'interpolate': {'first', 'second', 'steps'}}
    assert list(loaded.signatures['sample'].structured_outputs) == ['vectors']


def test_density_is_in_the_datas_own_units(loaded, flow, vectors):
    expected = flow.log_prob(standardised(vectors)) - np.log(20.)  # 20 is .5 * 40.
    np.testing.assert_allclose(loaded.log_prob(vectors), expected, rtol=1e-5)
    answer = loaded.signatures['log_prob'](vectors=tf.constant(vectors[:1]))['log_prob']
    np.testing.assert_allclose(answer, expected[:1], rtol=1e-5)


def test_samples_and_latents_are_the_flows(loaded, flow, vectors):
    samples = loaded.sample(50, .7, 11)
    assert samples.dtype == tf.float32
    expected = tfp_glow.with_temperature(flow, .7).sample(50, seed=[11, 0])
    np.testing.assert_allclose(standardised(samples), expected, atol=1e-4)
    z, = loaded.encode(vectors)
    np.testing.assert_allclose(z, flow.bijector.inverse(standardised(vectors)), atol=1e-5)
    np.testing.assert_allclose(standardised(loaded.decode([z]).numpy()), standardised(vectors),
                               atol=1e-4)


def test_interpolation_is_straight_in_the_latents(loaded, vectors):
    steps = loaded.interpolate(vectors[:3], vectors[2:], 5).numpy()
    assert steps.shape == (3, 5, 2)
    np.testing.assert_allclose(standardised(steps[:, 0]), standardised(vectors[:3]), atol=1e-4)
    np.testing.assert_allclose(standardised(steps[:, -1]), standardised(vectors[2:]), atol=1e-4)
    (first,), (second,) = loaded.encode(vectors[:3]), loaded.encode(vectors[2:])
    quarter = loaded.decode([.75 * first + .25 * second])
    np.testing.assert_allclose(standardised(steps[:, 1]), standardised(quarter), atol=1e-4)


@pytest.mark.parametrize('question, arguments, message', [
    ('log_prob', lambda x: (x * np.float32(np.nan),), 'log_prob: vectors must be finite'),
    ('sample', lambda x: (0, 1., 0), r'sample: n must be at least 1; got\] \[0\]'),
    ('interpolate', lambda x: (x, x[:2], 3), r'must be as many vectors; got\] \[5\] \[2\]'),
    ('decode', lambda x: ([x * np.float32(np.inf)],), 'decode: level_0 must be finite'),
])
def test_bad_input_is_named(loaded, vectors, question, arguments, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        getattr(loaded, question)(*arguments(vectors))


def test_verification_in_units_of_each_column(path, loaded, tmp_path, monkeypatch):
    monkeypatch.setattr(bundles.Bundle, 'load', lambda self: loaded)
    lines = list(verification.verify(bundles.open_bundle(path)))
    assert [line.split(':')[0] for line in lines] == [
        'sample', 'log_prob', 'encode', 'decode', 'interpolate', 'decode(encode(vectors))']
    assert lines[-1].endswith(' std')
    golden = dict(np.load(path / 'golden.npz'))
    about = json.loads((path / 'bundle.json').read_text())

    def verify(**changes):
        np.savez(tmp_path / 'golden.npz', **{**golden, **changes})
        return list(verification.verify(bundles.Bundle(tmp_path, about, '--verify')))
    verify(sample=golden['sample'] + np.float32([0, .02]))  # It is 5e-4 of a std.
    for name in ('sample', 'decode', 'interpolate'):
        with pytest.raises(errors.Failure, match=f'^{name}: it must be within 0.001'):
            verify(**{name: golden[name] + np.float32([.02, 0])})
    with pytest.raises(errors.Failure, match='^log_prob: '):
        verify(log_prob=golden['log_prob'] + np.float32(.1))


def test_a_flow_that_does_not_invert_is_told(tmp_path):
    class Drifts(tgb.OnePassBijector):
        """Moves values: forward(inverse(y)) = y + .01."""

        def __init__(self, name='drifts'):
            super().__init__(forward_min_event_ndims=1, parameters={}, name=name)

        def _forward_and_log_det(self, x):
            return x + .01, tf.zeros([], x.dtype)

        def _inverse_and_log_det(self, y):
            return y, tf.zeros([], y.dtype)
    drifting = tfp_glow.flows.transformed(tfd.Sample(tfd.Normal(0., 1.), 2), Drifts())
    with pytest.warns(UserWarning, match=r'moves values by up to 0\.01 std of the golden vectors'):
        bundle = bundles.open_bundle(serving.export(drifting, tmp_path))
    assert .009 < bundle.about['round_trip_errors'] < .011
    assert list(verification.verify(bundle))[-1].endswith('within 1.0e-02 std')
    bundle.about['round_trip_errors'] = 0.
    with pytest.raises(errors.Failure, match='^decode: it must undo encode'):
        list(verification.verify(bundle))


@pytest.mark.parametrize('options, message', [
    ({'std': [1., 0.]}, r'std must be positive; got std='),
    ({'mean': [1.]}, r'mean must be 2 finite numbers, one for each dimension; got mean=\[1.\]'),
    ({'std': [1., np.nan]}, 'std must be 2 finite numbers'),
    ({'columns': ['a']}, r"columns must be 2 names, one for each dimension; got columns=\['a'\]"),
    ({'golden_vectors': np.zeros([3, 4])}, r'golden_vectors must be finite, \[N, 2\] .* \[3, 4\]'),
    ({'golden_vectors': np.full([3, 2], np.inf)}, 'golden_vectors must be finite'),
    ({'bins': 256}, 'bins must be left out for a flow over vectors'),
    ({'classes': 3}, 'classes must be left out for a flow that takes no condition; got classes=3'),
])
def test_export_names_bad_arguments(flow, options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        serving.export(flow, tmp_path / 'new', **options)
    assert not (tmp_path / 'new').exists()


@pytest.fixture
def run_sample(monkeypatch, tmp_path):
    with sampling.program_of(tmp_path, monkeypatch) as run:
        yield run


def test_sample_writes_vectors(path, loaded, run_sample, tmp_path, capsys):
    arguments = ('--num=5000', '--seed=4', '--temperature=.5')
    run_sample(path, loaded, *arguments, '--out=x.npy')
    assert 'x.npy: 5000 vectors, temperature 0.5, seed 4, pair in' in capsys.readouterr().out
    drawn = np.load(tmp_path / 'x.npy')
    assert drawn.dtype == np.float32 and drawn.shape == (5000, 2)
    np.testing.assert_array_equal(drawn[:4096], loaded.sample(4096, .5, [4, 0]))
    np.testing.assert_array_equal(drawn[4096:], loaded.sample(904, .5, [4, 1]))
    run_sample(path, loaded, *arguments, '--out=x.csv')
    parts, columns = tables.read(tmp_path / 'x.csv')
    assert columns == ['height', 'weight']
    np.testing.assert_array_equal(parts[None].values.astype(np.float32), drawn)
    run_sample(path, loaded, '--out=x.png')
    assert Image.open(tmp_path / 'x.png').size == (880, 462)  # It has samples and density.


def test_sample_names_the_flag_that_is_wrong_for_vectors(path, loaded, run_sample):
    for given, message in [
            ('--out=x.jpg', "--out must end in .png or .npy or .csv; got 'x.jpg'."),
            ('--label=0', '--label must be left out: .* holds a model without classes; got 0.')]:
        with pytest.raises(errors.UsageError, match=f'^{message}$'):
            run_sample(path, loaded, given)


def test_a_run_over_vectors_is_exported_in_its_units(flow, tmp_path):
    moons = data.load_vectors('moons')
    run, model = types.SimpleNamespace(conditional=False), types.SimpleNamespace(flow=flow)
    exporting.write(Trained(run, moons, model), tmp_path)
    bundle = bundles.open_bundle(tmp_path)
    golden = np.load(bundle.path / 'golden.npz')
    np.testing.assert_allclose(golden['vectors'], moons.unscale(moons.take('test', 4)), rtol=1e-6)
    expected = flow.log_prob(moons.take('test', 4)) + moons.log_scale_correction
    np.testing.assert_allclose(golden['log_prob'], expected, rtol=1e-4)
    assert bundle.kind == 'vectors' and bundle.columns == ['x1', 'x2']
