"""Trains a tiny model of every kind without noise, on one device, on replicas or on workers.

Run it as a program with the kind, the place, and the file for the results.
"""

import contextlib
import json
import sys

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

import tfp_glow

SHAPE = (4, 4, 1)
FLOWS, VAES = tfp_glow.flows, tfp_glow.vaes


def reversible():
    flow = FLOWS.glow(SHAPE, levels=1, steps_per_level=2, width=4)
    return FLOWS.transformed(flow.distribution, tfp_glow.bijectors.Reversible(flow.bijector))


KINDS = {
    'maf': lambda: FLOWS.maf(3, layers=2, hidden=[8]),
    'maf_of_images': lambda: FLOWS.maf(SHAPE, layers=2, hidden=[8]),
    'made': lambda: FLOWS.made(3, hidden=[8]),
    'iaf': lambda: FLOWS.iaf(3, layers=2, hidden=[8]),
    'nice': lambda: FLOWS.nice(SHAPE, couplings=2, hidden=[8]),
    'glow': lambda: FLOWS.glow(SHAPE, levels=1, steps_per_level=2, width=4),
    'reversible': reversible,
    'real_nvp': lambda: FLOWS.real_nvp(SHAPE, levels=2, width=4, blocks=1),
    'flow_pp': lambda: FLOWS.flow_pp(
        SHAPE, steps_per_level=1, checkerboards=0, first_checkerboards=1, width=4, components=2),
    'idf': lambda: FLOWS.idf(SHAPE, levels=1, steps_per_level=1, width=4, depth=1, bins=17),
    'dense_vae': lambda: VAES.dense_vae(SHAPE, 17, latent_dims=2, hidden=[8]),
    'conv_vae': lambda: VAES.conv_vae(SHAPE, 17, latent_dims=2, width=2, levels=1, hidden=8),
    'pixel_vae': lambda: VAES.pixel_vae(SHAPE, 17, latent_dims=2, features=2),
    'ladder_vae': lambda: VAES.ladder_vae(SHAPE, 17, layers=2, width=4, latent_channels=2),
}


def build(kind):
    """Returns the model of a kind, whose draws and dequantization have no noise."""
    module = KINDS[kind]()
    if isinstance(module, VAES.LatentModel):
        return VAES.VAEModel(module, free_bits=.05, kl_warmup_steps=3)
    vectors = module.event_shape.rank == 1
    model = tfp_glow.FlowModel(module, bins=None if vectors else 17)
    if not vectors:
        model.objective.to_data = lambda x, seed: (
            tf.cast(x, tf.float32) if model.objective.discrete
            else (tf.cast(x, tf.float32) + .5) / 17 - .5)
    return model


@contextlib.contextmanager
def no_draws():
    """Lets draws of a standard Normal be 0, but for the first weights of networks."""
    draw, draw_of_tfp = tf.random.stateless_normal, tfd.Normal._sample_n
    tf.random.stateless_normal = lambda shape, seed, mean=0., stddev=1., dtype=tf.float32, **_: (
        mean + tf.zeros(shape, dtype))
    tfd.Normal._sample_n = lambda self, n, seed=None: (
        self.mean() + tf.zeros(tf.concat([[n], self.batch_shape_tensor()], 0)))
    try:
        yield
    finally:
        tf.random.stateless_normal, tfd.Normal._sample_n = draw, draw_of_tfp


def train(kind, strategy, examples=34, batch=16, epochs=3):
    """Returns the losses, an evaluation, predictions and weights.

    The last batch leaves the second replica or worker without an example.
    """
    rng = np.random.default_rng(0)
    with strategy.scope() if strategy else contextlib.nullcontext():
        model = build(kind)
        # With a small epsilon, Adam would make steps of rounding errors.
        inner = keras.optimizers.Adam(
            1e-2, epsilon=1e-3, global_clipnorm=.5, use_ema=True, ema_momentum=.9)
        model.compile(keras.optimizers.LossScaleOptimizer(inner) if kind == 'made' else inner)
    spec = model.objective.spec
    x = (rng.normal(size=[examples, *spec.shape[1:]]).astype(np.float32)
         if spec.dtype.is_floating else
         rng.integers(0, 17, [examples, *spec.shape[1:]]).astype(np.uint8))
    data = tf.data.Dataset.from_tensor_slices(x).batch(batch)
    # Each worker begins with other examples, as if it read a file of its own.
    worker = strategy.cluster_resolver.task_id if strategy and strategy.cluster_resolver else 0
    model.prepare(x[worker or 0:])
    if kind == 'maf':
        # The second batch of an epoch is not applied.
        x = np.where(np.arange(examples)[:, np.newaxis] == 20, np.float32(np.nan), x)
    with no_draws():
        history = model.fit(tf.data.Dataset.from_tensor_slices(x).batch(batch), epochs=epochs,
                            verbose=0, validation_data=data).history
        evaluated = model.evaluate(data, verbose=0, return_dict=True)
        predicted = model.predict(data, verbose=0)
    return {'unapplied': int(model.unapplied_steps.numpy()), 'history': history,
            'evaluated': evaluated, 'predicted': predicted.tolist(),
            'weights': [v.numpy().tolist() for v in model.trainable_variables],
            'averages': [v.numpy().tolist()
                         for v in inner._model_variables_moving_average]}


def main(kinds, place, path, *sizes):
    """Writes `{kind: [result on one device, result on replicas]}`, or one result on workers."""
    strategies = [None]
    if place == 'replicas':
        cpu = tf.config.list_physical_devices('CPU')[0]
        tf.config.set_logical_device_configuration(
            cpu, 2 * [tf.config.LogicalDeviceConfiguration()])
        # One for all: collectives of several strategies in a process are mixed up.
        strategies.append(tf.distribute.MirroredStrategy(['CPU:0', 'CPU:1']))
    elif place == 'worker':
        strategies = [tf.distribute.MultiWorkerMirroredStrategy()]
    results = {kind: [train(kind, strategy, *map(int, sizes)) for strategy in strategies]
               for kind in kinds.split(',')}
    with open(path, 'w', encoding='utf-8') as file:
        json.dump(results, file)


if __name__ == '__main__':
    main(*sys.argv[1:])
