"""Values that a model does not have are refused before a step takes them, or in it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfp_glow

FLOWS, VAES = tfp_glow.flows, tfp_glow.vaes
RNG = np.random.default_rng(0)
SHAPE = (4, 4, 1)
X = RNG.integers(0, 17, [8, *SHAPE]).astype(np.uint8)
Y = np.arange(8) % 3
VECTORS = RNG.normal(size=[8, 3]).astype(np.float32)


def compiled(model):
    model.compile('sgd')
    return model


@pytest.fixture(scope='module')
def models():
    return {
        'flow': compiled(tfp_glow.FlowModel(FLOWS.glow(SHAPE, 1, 1, width=4), 17)),
        'labels': compiled(tfp_glow.FlowModel(FLOWS.glow(SHAPE, 1, 1, width=4, classes=3), 17)),
        'vectors': compiled(tfp_glow.FlowModel(
            FLOWS.maf(3, layers=1, hidden=[4], batch_norm=False), None)),
        'vae': compiled(VAES.VAEModel(VAES.dense_vae(SHAPE, 17, 2, [4])))}


def with_(array, value, index=(3, 0)):
    array = array.copy()
    array[index] = value
    return array


WRONG = {
    'a level above': ('flow', with_(X, 17), None, ValueError,
                      r'x must be in 0 \.\. 16; got values from \d+ to 17'),
    'a level below': ('flow', with_(X.astype(int), -1), None, ValueError,
                      r'x must be in 0 \.\. 16; got values from -1 to'),
    'floats in [0, 1]': ('flow', X / 17, None, TypeError, 'x must be integers, grey levels 0'),
    'floats that are whole': ('flow', X.astype('f'), None, TypeError, 'x must be integers'),
    'channels first': ('flow', X.transpose(0, 3, 1, 2), None, ValueError,
                       'x must have the shape .B, ?4, ?4, ?1.; got shape'),
    'no channels': ('flow', X[..., 0], None, ValueError, 'x must have the shape .B, ?4, ?4, ?1'),
    'three channels': ('flow', X.repeat(3, -1), None, ValueError, 'x must have the shape'),
    'another size': ('flow', X[:, :2], None, ValueError, 'x must have the shape'),
    'no batch': ('flow', X[0], None, ValueError, 'x must have the shape'),
    'a label above': ('labels', X, with_(Y, 3, 3), ValueError,
                      r'y must be in 0 \.\. 2; got values from 0 to 3'),
    'a label below': ('labels', X, with_(Y, -1, 3), ValueError,
                      r'y must be in 0 \.\. 2; got values from -1 to 2'),
    'labels as floats': ('labels', X, Y.astype('f'), ValueError, 'y must be integer labels; got'),
    'one-hot labels': ('labels', X, np.eye(3, dtype=int)[Y], ValueError,
                       'y must be one label for each example'),
    'integer vectors': ('vectors', VECTORS.astype(int), None, TypeError,
                        'x must be floats, as bins=None is for continuous data; got dtype=int64'),
    'vectors of another size': ('vectors', VECTORS[:, :2], None, ValueError,
                                'x must have the shape .B, ?3'),
    'a level above, VAE': ('vae', with_(X, 200), None, ValueError, r'x must be in 0 \.\. 16'),
    'floats, VAE': ('vae', X / 17, None, TypeError, 'x must be integers'),
    'channels first, VAE': ('vae', X.transpose(0, 3, 1, 2), None, ValueError,
                            'x must have the shape'),
}


@pytest.mark.parametrize('wrong', WRONG)
@pytest.mark.parametrize('way', ['array', 'data set', 'evaluate', 'predict'])
def test_wrong_values_are_named_and_not_trained_on(models, wrong, way):
    kind, x, y, error, message = WRONG[wrong]
    model = models[kind]
    model.prepare(VECTORS if kind == 'vectors' else X, Y if kind == 'labels' else None)
    before = [v.numpy() for v in model.variables]
    data = tf.data.Dataset.from_tensor_slices((x, y) if y is not None else (x,)).batch(4)
    act = {'array': lambda: model.fit(x, y, batch_size=4, verbose=0),
           'data set': lambda: model.fit(data, verbose=0),
           'evaluate': lambda: model.evaluate(data, verbose=0),
           'predict': lambda: model.predict(data, verbose=0)}[way]
    if way == 'array' and wrong == 'integer vectors':
        error = (TypeError, ValueError)
    with pytest.raises(error, match=message):
        act()
    for old, variable in zip(before, model.variables):
        np.testing.assert_array_equal(old, variable)


@pytest.mark.parametrize(('x', 'message'), [
    ([[1.], [2.]], 'x must be one array, a data set or a generator of batches; got a list of 2'),
    (X[:0], 'x must hold at least one example'),
    (tf.data.Dataset.from_tensor_slices(X[:0]).batch(4), 'x must hold at least one example'),
    (iter([X]), 'x must be an array, a tf.data.Dataset, a PyDataset or a generator'),
    ({'picture': X}, 'x must have the keys image, and label or sample_weight'),
    ({'image': X, 'label': Y, 'mask': Y}, 'of which mask is not used'),
    (tf.data.Dataset.from_tensors({'image': X, 'mask': Y}), 'of which mask is not used'),
    ((batch for batch in []), 'x must hold at least one example; got an empty generator'),
])
def test_inputs_of_wrong_kinds(x, message):
    model = compiled(tfp_glow.FlowModel(FLOWS.glow(SHAPE, 1, 1, width=4), 17))
    with pytest.raises(ValueError, match=message):
        model.fit(x, verbose=0)


class Pairs(keras.utils.PyDataset):
    """Batches of four."""

    def __len__(self):
        return 2

    def __getitem__(self, index):
        rows = slice(4 * index, 4 * index + 4)
        return X[rows], Y[rows, np.newaxis]


def test_all_kinds_of_inputs_train_alike():
    """The first batch initialises in each case."""
    pairs = tf.data.Dataset.from_tensor_slices((X, Y)).batch(4)
    named = tf.data.Dataset.from_tensor_slices({'image': X, 'label': Y, 'id': Y}).batch(4)
    inputs = {'arrays': (X, Y), 'a column of labels': (X, Y[:, np.newaxis]), 'a data set': (pairs,),
              'as TFDS gives them': (named,), 'a dictionary': ({'image': X, 'label': Y},),
              'a PyDataset': (Pairs(),),
              'a generator': ((X[i:i + 4], Y[i:i + 4]) for i in (0, 4))}
    losses = {}
    for name, given in inputs.items():
        model = tfp_glow.FlowModel(FLOWS.glow(SHAPE, 1, 1, width=4, classes=3), 17)
        model.compile('sgd')
        model.prepare(X[:4], Y[:4])
        given = given if isinstance(given, tuple) else (given,)
        losses[name] = model.fit(*given, batch_size=4, shuffle=False, verbose=0).history['loss'][0]
    for name, loss in losses.items():
        np.testing.assert_allclose(loss, losses['arrays'], 1e-5, err_msg=name)
    model = compiled(tfp_glow.FlowModel(FLOWS.glow(SHAPE, 1, 1, width=4), 17))
    model.fit((X[i:i + 4] for i in (0, 4)), verbose=0)
    assert tfp_glow.is_initialized(model.flow) and int(model.optimizer.iterations) == 2


def test_channels_that_come_first_are_told_so():
    model = compiled(tfp_glow.FlowModel(FLOWS.glow(SHAPE, 1, 1, width=4), 17))
    with pytest.raises(ValueError, match='got shape=.8, 1, 4, 4.: channels must come last'):
        model.fit(X.transpose(0, 3, 1, 2), verbose=0)


def test_flows_over_vectors_say_what_their_data_are():
    flow = FLOWS.maf(3, layers=1, hidden=[4])
    with pytest.raises(ValueError, match=r'bins must be given for a flow over \(3,\): None for'):
        tfp_glow.FlowModel(flow)
    assert tfp_glow.FlowModel(flow, None).bins is None
    assert tfp_glow.FlowModel(FLOWS.glow(SHAPE, 1, 1, width=4)).bins == 256


@pytest.mark.parametrize('value', [-1, 17, 300])
def test_dequantized_is_checked_in_graphs(value):
    model = tfp_glow.distributions.Dequantized(FLOWS.glow(SHAPE, 1, 1, width=4), 17)
    log_prob = tf.function(lambda x: model.log_prob(x, seed=[0, 1]), autograph=False,
                           input_signature=[tf.TensorSpec([None, *SHAPE], tf.int32)])
    assert np.all(np.isfinite(log_prob(X.astype(np.int32))))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r'x must be in 0 \.\. 16'):
        log_prob(with_(X.astype(np.int32), value))


def test_rows_of_weight_zero_may_hold_anything(models):
    weights = np.where(np.arange(8) == 3, 0., 1.)
    data = tf.data.Dataset.from_tensor_slices((with_(X, 200), Y, weights)).batch(4)
    assert np.isfinite(models['flow'].evaluate(data, verbose=0, return_dict=True)['loss'])


@pytest.mark.parametrize(('argument', 'value'), [
    ('metrics', ['accuracy']), ('weighted_metrics', ['accuracy']), ('loss_weights', [1.]),
    ('loss', 'mse')])
def test_arguments_of_compile_without_a_use(models, argument, value):
    for model in models.values():
        with pytest.raises(ValueError, match=f'{argument} must be left out: the loss of a '):
            model.compile('sgd', **{argument: value})


def test_a_batch_of_one_under_batch_norm_is_refused_when_it_arrives():
    model = compiled(tfp_glow.FlowModel(FLOWS.maf(3, layers=1, hidden=[4]), None))
    with pytest.raises(ValueError, match='a batch must have at least 2 values per channel'):
        model.fit(tf.data.Dataset.from_tensor_slices(VECTORS[:5]).batch(4), verbose=0)


def test_validation_data_are_what_x_is():
    model = compiled(tfp_glow.FlowModel(FLOWS.maf(3, layers=1, hidden=[4], batch_norm=False), None))
    rows = np.concatenate([VECTORS, VECTORS + 50])
    weights = np.repeat([1., 0.], 8)

    def named():
        yield {'x': rows, 'sample_weight': weights}
    losses = [model.fit(VECTORS, validation_data=given, verbose=0, epochs=1).history['val_loss'][0]
              for given in ((rows, None, weights), {'x': rows, 'weight': weights}, named())]
    assert max(losses) < 10
    with pytest.raises(ValueError, match='validation_data must be finite'):
        model.fit(VECTORS, validation_data=with_(VECTORS, np.nan), verbose=0)
    for act, steps in ((lambda g: model.fit(g, epochs=2, verbose=0), 'steps_per_epoch'),
                       (lambda g: model.fit(VECTORS, validation_data=g, epochs=2, verbose=0),
                        'validation_steps')):
        with pytest.raises(ValueError, match=f'{steps} must be given with .*, a generator, which'):
            act(batch for batch in [(VECTORS,)])
    assert np.isfinite(model.evaluate(named(), verbose=0, return_dict=True)['loss'])
    assert np.isfinite(model.train_on_batch({'x': VECTORS}, return_dict=True)['loss'])


def test_weights_of_classes():
    model = compiled(tfp_glow.FlowModel(FLOWS.maf(3, layers=1, hidden=[4], batch_norm=False), None))
    with pytest.raises(ValueError, match='class_weight must be finite and not negative; got'):
        model.fit(VECTORS, Y, class_weight={0: -1., 1: 1., 2: 1.}, verbose=0)
    with pytest.raises(ValueError, match='class_weight must come with y, the classes'):
        model.train_on_batch(VECTORS, class_weight={0: 1.})
