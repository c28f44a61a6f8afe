"""Provides settings and shared fixtures of the tests."""

import contextlib
import fcntl
import os

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
os.environ.setdefault('CUDA_VISIBLE_DEVICES', '-1')

import catalogue
import numpy as np
import pytest
import tensorflow as tf

import tfp_glow


@pytest.hookimpl(optionalhook=True)  # pytest-xdist defines the hook.
def pytest_xdist_make_scheduler(config, log):
    """Gives each worker neighbouring tests, which share fixtures; idle workers take from others.

    It does so only for 'load', the default.
    """
    from xdist.scheduler import WorkStealingScheduling
    return WorkStealingScheduling(config, log) if config.getvalue('dist') == 'load' else None


@contextlib.contextmanager
def shared(tmp_path_factory, name):
    """Gives a folder that all workers share, and whether this one is the first to fill it."""
    base = tmp_path_factory.getbasetemp()
    root = base.parent if 'PYTEST_XDIST_WORKER' in os.environ else base
    with (root / f'{name}.lock').open('w') as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # The others wait until the folder is filled.
        folder, done = root / f'shared_{name}', root / f'{name}.done'
        folder.mkdir(exist_ok=True)
        yield folder, not done.exists()
        done.touch()


@pytest.fixture(scope='session')
def digits():
    """Returns scikit-learn's digits: `[1797, 8, 8, 1]` uint8 with values 0 .. 16."""
    from sklearn import datasets
    return datasets.load_digits().images.astype(np.uint8)[..., np.newaxis]


@pytest.fixture(scope='session')
def data(digits):
    """Returns the first 32 digits as data of a flow, float32 in [-1/2, 1/2)."""
    return tfp_glow.dequantization.dequantize(digits[:32], bins=17, seed=[1, 2])


@pytest.fixture(scope='session')
def make_flow():
    """Returns `make_flow(seed=0, **options)`, which makes a small perturbed float32 Glow, 8x8x1."""
    def make(seed=0, **options):
        options = dict({'levels': 2, 'steps_per_level': 2, 'width': 4}, **options)
        flow = tfp_glow.flows.glow((8, 8, 1), seed=seed, **options)
        return catalogue.perturb(flow, seed, scale=.1)
    return make


@pytest.fixture(scope='session')
def digits_run(tmp_path_factory):
    """Returns the directory of a tiny trained run, read only; its data are in `data` beside it."""
    import tiny_run  # It imports the zoo, which most tests do not need.
    with shared(tmp_path_factory, 'digits') as (folder, is_new):
        return tiny_run.train(folder) if is_new else folder / 'run'


@pytest.fixture(scope='session')
def digits_preset(digits_run, tmp_path_factory):
    """Returns the folder of the preset `tiny_digits` that `zoo.publish` makes of it, read only."""
    import tiny_run
    with shared(tmp_path_factory, 'presets') as (folder, is_new):
        if is_new:
            with tiny_run.program('publish') as publish:
                publish(workdir=digits_run, data_dir=digits_run.parent / 'data',
                        out=folder / 'tiny_digits', samples=4)
    return folder / 'tiny_digits'


@pytest.fixture(scope='session')
def flow(make_flow):
    """Returns a perturbed flow for tests that do not change its variables."""
    return make_flow()


@pytest.fixture
def assert_close():
    """Returns `assert_close(actual, expected, tolerance)`, relative to max |expected|."""
    def close(actual, expected, tolerance=1e-5):
        for a, e in zip(tf.nest.flatten(actual), tf.nest.flatten(expected), strict=True):
            np.testing.assert_allclose(a, e, rtol=tolerance,
                                       atol=tolerance * np.max(np.abs(e), initial=1e-30))
    return close
