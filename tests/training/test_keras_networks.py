"""Users' Keras networks in flows: told that they train, penalised, or refused; all optimizers."""

import inspect

import keras
import numpy as np
import pytest
from tensorflow_probability import distributions as tfd

import tfp_glow
from tfp_glow import bijectors as tgb

RNG = np.random.default_rng(0)
X = RNG.normal(size=[32, 4]).astype(np.float32)
layers = keras.layers


def network(*more):
    return keras.Sequential([keras.Input([2]), layers.Dense(8, 'relu'), *more, layers.Dense(4)])


def model(net, **options):
    made = tfp_glow.FlowModel(tfp_glow.flows.transformed(
        tfd.Sample(tfd.Normal(0., 1.), [4]),
        tgb.Chain([tgb.Coupling(net, tgb.AffineInner(), event_ndims=1)])), None, **options)
    made.compile(keras.optimizers.SGD(0.))
    return made


def fitted(made):
    history = made.fit(X, epochs=2, verbose=0, shuffle=False, validation_data=(X,)).history
    return {name: np.array(values) for name, values in history.items()}


def test_dropout_drops_in_training_alone():
    net = network(layers.Dropout(.5, seed=1))
    losses = fitted(model(net))
    assert losses['loss'][0] != losses['loss'][1]
    assert losses['val_loss'][0] == losses['val_loss'][1]
    again = fitted(model(keras.models.clone_model(net)))  # Its seed is the network's.
    assert again['loss'].shape == losses['loss'].shape


def test_batch_normalization_moves_its_statistics():
    net = network(layers.BatchNormalization(momentum=.5))
    (statistics,) = [layer for layer in net.layers if 'batch' in layer.name]
    hidden = net.layers[0](X[:, :2])
    made = model(net)
    fitted(made)
    mean = np.asarray(hidden).mean(0)
    assert np.abs(statistics.moving_mean.numpy()).max() > 0
    assert mean.shape == statistics.moving_mean.shape


def test_regularisers_of_weights_are_added_to_the_loss():
    net = network(layers.Dense(4, kernel_regularizer=keras.regularizers.L2(.3)))
    losses = fitted(model(net))
    kernel = net.layers[1].kernel.numpy()
    np.testing.assert_allclose(losses['loss'], losses['nats'] / 4 + .3 * (kernel ** 2).sum(), 1e-5)


def test_what_cannot_be_done_is_refused():
    with pytest.raises(ValueError, match='activity_regularizer must be left out of a network'):
        fitted(model(network(layers.Dense(4, activity_regularizer='l2'))))
    for layer in (layers.Dropout(.5), layers.GaussianNoise(.1), layers.BatchNormalization()):
        with pytest.raises(ValueError, match='bijector must have networks that compute the same'):
            tgb.Reversible(tgb.Chain([tgb.Coupling(
                network(layer), tgb.AffineInner(), event_ndims=1)]))
        with pytest.raises(ValueError, match='towers must be 1 to train a network with'):
            fitted(model(network(layer), towers=2))

    def convolutions(more):
        def make(shape, outputs, width, seed, dtype):
            del width, seed
            net = keras.Sequential([keras.Input(shape, dtype=dtype), *more(), layers.Conv2D(
                outputs, 3, padding='same')])
            return net
        return make
    for more, words in ((lambda: [layers.Dropout(.2)], 'steps that share a loop must have networks '
                         'that compute the same'),
                        (lambda: [layers.Conv2D(4, 1, kernel_regularizer='l2')],
                         'steps that share a loop must have networks without regularisers')):
        with pytest.raises(ValueError, match=words):
            tfp_glow.flows.glow((4, 4, 1), 1, 2, width=4, network=convolutions(more))


OPTIMIZERS = {name: (lambda cls=cls: cls(1e-2)) for name, cls in vars(keras.optimizers).items()
              if inspect.isclass(cls) and issubclass(cls, keras.optimizers.Optimizer)
              and cls not in (keras.optimizers.Optimizer, keras.optimizers.LossScaleOptimizer)
              and name != 'MultiOptimizer'}
OPTIMIZERS |= {
    'accumulating': lambda: keras.optimizers.Adam(1e-2, gradient_accumulation_steps=2),
    'scaling': lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(1e-2)),
    'scaling, with averages': lambda: keras.optimizers.LossScaleOptimizer(
        keras.optimizers.Adam(1e-2, use_ema=True))}


@pytest.mark.parametrize('name', OPTIMIZERS)
@pytest.mark.filterwarnings('ignore:epsilon_1 of Adafactor')
def test_every_optimizer_of_keras_trains_a_flow(name):
    images = RNG.integers(0, 17, [16, 4, 4, 1]).astype(np.uint8)
    flow = tfp_glow.flows.glow((4, 4, 1), 1, 1, width=4)
    made = tfp_glow.FlowModel(flow, 17)
    made.compile(OPTIMIZERS[name]())
    made.prepare(images)
    before = [v.numpy() for v in flow.trainable_variables]
    loss = made.fit(images, batch_size=8, epochs=2, verbose=0).history['loss']
    assert np.all(np.isfinite(loss))
    assert max(np.abs(v - b).max() for v, b in zip(flow.trainable_variables, before)) > 0
    assert int(made.unapplied_steps) == 0


def test_weight_decay_leaves_out_variables_by_name():
    flow = tfp_glow.flows.glow((4, 4, 1), 1, 1, width=4)
    made = tfp_glow.FlowModel(flow, 17)
    optimizer = keras.optimizers.AdamW(1e-9, weight_decay=1e8)
    optimizer.exclude_from_weight_decay(var_names=['kernel'])
    made.compile(optimizer)
    images = RNG.integers(0, 17, [8, 4, 4, 1]).astype(np.uint8)
    made.prepare(images)
    before = {v.name: v.numpy() for v in flow.trainable_variables}
    made.fit(images, epochs=1, verbose=0)
    for variable in flow.trainable_variables:
        old, new = before[variable.name], variable.numpy()
        expected = old if 'kernel' in variable.name else .9 * old
        np.testing.assert_allclose(new, expected, atol=1e-4, err_msg=variable.name)
