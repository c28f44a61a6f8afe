"""Two replicas train as one device does."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

# These run in their own processes: logical devices must be set before TensorFlow starts, and its
# collectives mix up models of unlike sizes.
PROGRAM = '''
import json, sys
import keras, numpy as np, tensorflow as tf
import tfp_glow

cpu = tf.config.list_physical_devices('CPU')[0]
tf.config.set_logical_device_configuration(cpu, 2 * [tf.config.LogicalDeviceConfiguration()])
rng = np.random.default_rng(0)
images = np.repeat(rng.integers(0, 17, [4, 4, 4, 1]).astype(np.uint8), 4, 0)
devices = ['CPU:0', 'CPU:1']
normal = tf.random.stateless_normal


def make(kind):
    # No noise, so that both ways see the same data and latents.
    if kind == 'VAE':
        tf.random.stateless_normal = normal
        model = tfp_glow.vaes.VAEModel(tfp_glow.vaes.dense_vae(
            (4, 4, 1), latent_dims=2, hidden=[8], bins=17, likelihood='mixture'))
        tf.random.stateless_normal = lambda shape, seed, mean=0., **rest: mean + tf.zeros(shape)
        return model
    flow = tfp_glow.flows.glow((4, 4, 1), levels=1, steps_per_level=2, width=4)
    if kind == 'Reversible':
        flow = tfp_glow.flows.transformed(
            flow.distribution, tfp_glow.bijectors.Reversible(flow.bijector))
    model = tfp_glow.FlowModel(flow, bins=17)
    model.objective.to_data = lambda x, seed: (tf.cast(x, tf.float32) + .5) / 17 - .5
    return model


results = {kind: [] for kind in sys.argv[1:]}
for kind, runs in results.items():
    for used in (devices[:1], devices):
        strategy = tf.distribute.MirroredStrategy(used)
        with strategy.scope():
            model = make(kind)
            model.compile(keras.optimizers.SGD(1e-2))
        data = tf.data.Dataset.from_tensor_slices(images).batch(8)
        losses = model.fit(data, epochs=3, verbose=0).history['loss']
        runs.append({
            'replicas': strategy.num_replicas_in_sync, 'losses': losses,
            'evaluated': model.evaluate(data, verbose=0, return_dict=True)['loss'],
            'weights': [float(np.sum(v.numpy())) for v in model.trainable_variables]})
print(json.dumps(results))
'''


@pytest.mark.parametrize('kinds', [
    pytest.param(('Repeat', 'Reversible'), marks=pytest.mark.slow), ('VAE',)], ids=' '.join)
def test_mirrored_strategy(kinds):
    result = subprocess.run(
        [sys.executable, '-c', PROGRAM, *kinds], capture_output=True, text=True, timeout=600,
        check=False, env=dict(os.environ, TF_CPP_MIN_LOG_LEVEL='3'))
    assert result.returncode == 0, result.stderr
    for one, two in json.loads(result.stdout.splitlines()[-1]).values():
        assert (one['replicas'], two['replicas']) == (1, 2)
        for key in ('losses', 'evaluated', 'weights'):
            np.testing.assert_allclose(two[key], one[key], 1e-4, 1e-5)
        assert one['losses'][-1] < one['losses'][0]
