"""Towers compute the shares of a batch beside each other: the results are those of one tower."""

import deterministic_models
import keras
import numpy as np
import pytest
import tensorflow as tf

import tfp_glow
from tfp_glow.internal import draws, towers

FLOWS, VAES = deterministic_models.FLOWS, deterministic_models.VAES
SHAPE = (4, 4, 1)
RNG = np.random.default_rng(0)


def noisy(count):
    """Dequantizes by a flow; TFP draws the noise of its base."""
    noise = FLOWS.flow_pp_noise(SHAPE, 1, 1, width=4, components=2,
                                network_options={'blocks': 1, 'heads': 2})
    return tfp_glow.FlowModel(deterministic_models.KINDS['glow'](), 17, noise=noise, towers=count)


def labelled(count):
    flow = FLOWS.glow(SHAPE, levels=1, steps_per_level=1, width=4, classes=3)
    network = keras.layers.Dense(3, kernel_initializer=keras.initializers.RandomNormal(seed=1))
    network.build([None, 4])
    return tfp_glow.FlowModel(
        flow, 17, classifier=FLOWS.ClassFinder(flow, network), weight_prior=1., examples=10,
        round_trip=True, towers=count)


def half_precise(count):
    return tfp_glow.FlowModel(FLOWS.glow(
        SHAPE, levels=1, steps_per_level=2, width=4, network_dtype='mixed_bfloat16'), 17,
        towers=count)


def with_draws(count):
    """Has an IAF posterior and three draws in a loop, and evaluates by the importance bound."""
    vae = VAES.dense_vae(SHAPE, 17, latent_dims=2, hidden=[8], posterior='iaf', iaf_hidden=[8],
                         context_size=4)
    return VAES.VAEModel(vae, samples=3, importance_samples=3, towers=count)


def of(kind):
    def make(count):
        module = deterministic_models.KINDS[kind]()
        if isinstance(module, VAES.LatentModel):
            return VAES.VAEModel(module, free_bits=.05, kl_warmup_steps=3, towers=count)
        return tfp_glow.FlowModel(module, None if module.event_shape.rank == 1 else 17,
                                  towers=count)
    return make


MODELS = {kind: of(kind) for kind in deterministic_models.KINDS if kind not in (
    'maf', 'maf_of_images', 'real_nvp')}  # They have BatchNorm.
MODELS |= {'noisy': noisy, 'labelled': labelled, 'half_precise': half_precise,
           'with_draws': with_draws,
           'maf': lambda count: tfp_glow.FlowModel(
               FLOWS.maf(3, layers=2, hidden=[8], batch_norm=False), None, towers=count)}
QUICK = ('glow',)


def train(model):
    """Returns all that a training leaves; each last batch has fewer rows than there are towers."""
    spec = model.objective.spec
    rng = np.random.default_rng(0)
    x = (rng.normal(size=[11, *spec.shape[1:]]).astype(np.float32) if spec.dtype.is_floating
         else rng.integers(0, 17, [11, *spec.shape[1:]]).astype(np.uint8))
    y = np.arange(11) % 3 if model.objective.conditional else None
    model.compile(keras.optimizers.Adam(1e-2, epsilon=1e-3, use_ema=True, ema_momentum=.5))
    model.prepare(x, y)
    first = [v.numpy() for v in model.trainable_variables]
    weights = np.where(np.arange(11) == 4, 0, 1. + np.arange(11) % 2)
    given = {'sample_weight': weights, 'batch_size': 5, 'verbose': 0}
    history = model.fit(x, y, epochs=2, shuffle=False, **given).history
    return {'history': history, 'evaluated': model.evaluate(x, y, return_dict=True, **given),
            'predicted': model.predict(
                tf.data.Dataset.from_tensor_slices((x, y) if y is not None else x).batch(5),
                verbose=0),
            'weights': [v.numpy() for v in model.variables],
            'moved': [np.abs(v - old).max() for v, old in zip(model.trainable_variables, first)]}


@pytest.mark.parametrize('kind', [
    pytest.param(kind, marks=[pytest.mark.slow] * (kind not in QUICK)) for kind in MODELS])
def test_three_towers_are_one(kind):
    results = [train(MODELS[kind](count)) for count in (None, 3)]
    tolerance = 2e-2 if kind == 'half_precise' else 2e-5
    tf.nest.map_structure(
        lambda a, b: np.testing.assert_allclose(a, b, tolerance, tolerance), *results)
    assert np.max(results[0]['moved']) > 1e-3


def test_answers_in_shares():
    """What `serve` gives has the towers of its model; 3 towers of 5 rows, and of a single one."""
    flow = FLOWS.glow(SHAPE, levels=1, steps_per_level=2, width=4, classes=3)
    for variable in flow.trainable_variables:
        variable.assign_add(tf.random.stateless_normal(variable.shape, [1, 2], stddev=.05))
    one, several = (tfp_glow.serving.serve(tfp_glow.FlowModel(flow, 17, towers=count), classes=3)
                    for count in (1, 3))
    assert len({op.name for op in several._synthesise.graph.get_operations()
                if 'PartitionedCall' in op.type}) == 3
    for rows in (5, 1):
        labels = tf.range(rows) % 3
        images = one.sample(tf.constant(rows), tf.constant(.8), tf.constant(3), labels)
        np.testing.assert_array_equal(images, several.sample(
            tf.constant(rows), tf.constant(.8), tf.constant(3), labels))
        assert np.asarray(images).std() > 1
        given, expected = ([a.log_prob(images, tf.constant(0), labels), *a.encode(images, labels)]
                           for a in (several, one))
        for value, other in zip(given, expected, strict=True):
            np.testing.assert_allclose(value, other, 1e-5, 1e-5)


def test_batch_norm_is_trained_by_one_tower_and_evaluated_by_several():
    x = RNG.normal(size=[8, 3]).astype(np.float32)
    model = tfp_glow.FlowModel(FLOWS.maf(3, layers=2, hidden=[8]), None, towers=2)
    model.compile('adam')
    with pytest.raises(ValueError, match='towers must be 1 to train a flow with BatchNorm'):
        model.fit(x, verbose=0)
    several = model.predict(x, verbose=0)
    model.towers = 1
    model.compile('adam')
    np.testing.assert_allclose(several, model.predict(x, verbose=0), 1e-5)


@pytest.mark.parametrize('count', [0, -1, 1.5, True, '2'])
def test_bad_counts(count):
    with pytest.raises(ValueError, match='towers must be a positive integer; got towers='):
        VAES.VAEModel(VAES.dense_vae(SHAPE, latent_dims=2, hidden=[4]), towers=count)


@pytest.mark.parametrize('rows', range(1, 8))
def test_any_number_of_rows(rows):
    """Results and gradients are those of the whole batch, in the order of its rows."""
    x, factor = tf.constant(RNG.normal(size=[rows, 2])), tf.Variable([2., 3.], dtype=tf.float64)
    noise = tf.random.stateless_normal([rows, 2], [1, 2], dtype=tf.float64)

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float64)])
    def graph(x):
        def function(pair, shift):
            x, nothing = pair
            y = x * factor + draws.normal_like(x, [1, 2]) + shift
            return {'y': y, 'nothing': nothing, 'sum': tf.reduce_sum(tf.square(y), 1)}
        with tf.GradientTape() as tape:
            result = towers.Towers(3).run(function, (x, None), tf.constant(5., tf.float64))
            loss = tf.reduce_sum(result['sum'])
        return result, tape.gradient(loss, factor)
    result, gradient = graph(x)
    y = x.numpy() * [2., 3.] + noise.numpy() + 5
    assert result['nothing'] is None
    np.testing.assert_allclose(result['y'], y, 1e-12)
    np.testing.assert_allclose(result['sum'], np.sum(y**2, 1), 1e-12)
    np.testing.assert_allclose(gradient, np.sum(2 * y * x.numpy(), 0), 1e-12)


def test_noise_of_one_s_own_is_refused():
    """Each tower would draw the same."""
    def function(x):
        return x + tf.random.stateless_normal(tf.shape(x), [1, 2])
    graph = tf.function(lambda x: towers.Towers(2).run(function, x))
    with pytest.raises(ValueError, match='a model that draws random numbers by itself'):
        graph(tf.zeros([4, 2]))


@pytest.mark.parametrize('shape', [[], [1], [3, 2]])
def test_a_condition_without_the_rows_of_the_batch(shape):
    """A slice of it would be another condition than that of the rows."""
    graph = tf.function(lambda x, c: towers.Towers(2).run(lambda rows: rows[0], (x, c)))
    with pytest.raises(ValueError, match='each tensor of the condition has the rows of the batch'):
        graph(tf.zeros([4, 2]), tf.zeros(shape))


def test_a_condition_of_one_row_is_found_when_it_runs():
    x, c = tf.TensorSpec([None, 2]), tf.TensorSpec([None, 2])
    graph = tf.function(lambda x, c: towers.Towers(2).run(lambda rows: rows[0] + rows[1], (x, c)),
                        input_signature=[x, c])
    np.testing.assert_array_equal(graph(tf.ones([4, 2]), tf.ones([4, 2])), np.full([4, 2], 2))
    with pytest.raises(tf.errors.InvalidArgumentError, match='towers must be 1 unless'):
        graph(tf.ones([4, 2]), tf.ones([1, 2]))


def test_more_towers_than_rows():
    graph = tf.function(lambda x: towers.Towers(5).run(tf.identity, x))
    with pytest.raises(ValueError, match='at most the number of rows of a batch, 4; got towers=5'):
        graph(tf.zeros([4, 2]))


def size(count):
    """Returns the numbers of nodes and of convolutions in the graph of a training step."""
    model = of('glow')(count)
    model.compile(keras.optimizers.Adam(1e-2))
    model.prepare(np.zeros([16, *SHAPE], np.uint8))
    graph = tf.function(model.train_step).get_concrete_function(
        tf.TensorSpec([16, *SHAPE], tf.uint8)).graph.as_graph_def()
    nodes = [*graph.node, *(n for f in graph.library.function for n in f.node_def)]
    return len(nodes), sum(n.op == 'Conv2D' for n in nodes)


def test_the_graph_holds_the_network_once():
    (nodes, convolutions), (more_nodes, as_many) = size(2), size(8)
    assert convolutions == as_many
    assert more_nodes < 1.3 * nodes


def test_towers_that_cannot_run_beside_each_other(monkeypatch):
    model = of('dense_vae')(2)
    monkeypatch.setattr(tf.config.threading, 'get_inter_op_parallelism_threads', lambda: 1)
    with pytest.warns(UserWarning, match='towers=2 cannot run beside each other'):
        model.compile('adam')
    with pytest.raises(ValueError, match='towers must be 1 with jit_compile; got towers=2'):
        model.compile('adam', jit_compile=True)
