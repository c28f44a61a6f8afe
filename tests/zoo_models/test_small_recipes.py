"""The recipe `small`, for data without a recipe of their own, exists, suits data and trains."""

import keras
import numpy as np
import pytest

from zoo.models import recipe, registry
from zoo.models.options import Events
from zoo.models.spec import Kind
from zoo.runs.run import Run

NAMES = sorted(registry.MODELS)
VECTORS = [name for name in NAMES if registry.spec(name).vectors]
SHAPES = [(28, 28, 1), (32, 32, 3)]
# A flow, a VAE and a serial flow take a step on one of the shapes here; the others, and the other
# shape, are among the slow tests.
QUICK = {('glow', SHAPES[1]), ('conv_vae', SHAPES[1]), ('made', SHAPES[0])}


def take_a_step(name, shape, dataset, batch=2):
    """Trains the model of a data set without a recipe of its own, on random examples."""
    vectors = len(shape) == 1
    chosen = registry.recipe(name, None, dataset, vectors)
    assert chosen.name == ('vectors' if vectors else 'small')
    fitted = chosen.fitted(50_000)
    run = Run(name, dataset, fitted.name, False, None, fitted.config, fitted.training)
    assert vectors or all(side % run.spec.divisor(run.config) == 0 for side in shape[:2])
    bins = None if vectors else 256
    model = run.assemble(Events(shape, shape, bins, int(np.prod(shape)), None, 50_000))
    rng = np.random.default_rng(0)
    examples = (rng.standard_normal([batch, *shape]).astype(np.float32) if vectors
                else rng.integers(0, bins, [batch, *shape]).astype(np.uint8))
    # The schedule is left out: its first step has a learning rate of zero.
    model.compile(keras.optimizers.Adam(run.training.learning_rate), run_eagerly=True)
    before = [v.numpy() for v in model.trainable_variables]
    history = model.fit(examples, batch_size=batch, epochs=1, verbose=0).history
    assert np.isfinite(history['loss'][0])
    after = [v.numpy() for v in model.trainable_variables]
    assert all(np.all(np.isfinite(value)) for value in after)
    assert any(np.any(new != old) for new, old in zip(after, before, strict=True))


@pytest.mark.parametrize('name', NAMES)
def test_every_model_has_the_paper_s_recipe_and_a_small_one(name):
    spec = registry.spec(name)
    assert {'paper', 'small'} <= set(spec.recipes)
    assert ('vectors' in spec.recipes) == spec.vectors
    assert spec.recipes['small'].steps and spec.recipes['paper'].steps is None
    for each in spec.recipes.values():
        assert type(each.config) is spec.config and type(each.training) is recipe.Training


@pytest.mark.parametrize('name, shape', [
    pytest.param(name, shape, id=f'{name}-{"x".join(map(str, shape))}',
                 marks=() if (name, shape) in QUICK else pytest.mark.slow)
    for name in NAMES for shape in SHAPES])
def test_the_small_one_takes_a_step_on_images(name, shape):
    take_a_step(name, shape, 'some_images')


@pytest.mark.parametrize('name', VECTORS)
def test_that_of_vectors_takes_a_step(name):
    take_a_step(name, (5,), 'table.csv', batch=16)


def test_models_of_images_have_no_recipe_of_vectors():
    assert VECTORS == ['iaf', 'made', 'maf', 'nice']
    assert all(registry.spec(name).kind is Kind.IMAGE_FLOW for name in VECTORS)


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('examples', [1, 8, 114, 300, 5_300, 50_000, 1_300_000])
def test_batches_and_epochs_fit_the_examples(name, examples):
    chosen = registry.spec(name).recipes['small']
    fitted = chosen.fitted(examples)
    batch, epochs = fitted.training.batch_size, fitted.training.epochs
    assert 1 <= batch <= min(examples, chosen.training.batch_size) and 1 <= epochs <= 200
    steps = examples // batch * epochs
    least, most = chosen.steps - examples // batch, chosen.steps + examples // batch
    assert least <= steps <= most or (epochs == 200 and steps < chosen.steps)
    assert fitted.config == chosen.config


@pytest.mark.parametrize('name', VECTORS)
@pytest.mark.parametrize('rows, examples', [(142, 114), (300, 240)])
def test_small_tables_get_thousands_of_steps(name, rows, examples):
    """Four fifths of a table's rows are trained on, fewer than a batch of the recipe's."""
    assert examples == rows - 2 * (rows // 10)
    training = registry.spec(name).recipes['vectors'].fitted(examples).training
    assert 8 * training.batch_size <= examples < 16 * training.batch_size
    assert examples // training.batch_size * training.epochs > 2000


@pytest.mark.parametrize('name', VECTORS)
def test_moons_are_trained_on_as_ever(name):
    fitted = registry.recipe(name, None, 'moons', vectors=True).fitted(50_000)
    assert (fitted.name, fitted.training.batch_size, fitted.training.epochs) == ('vectors', 256, 50)


@pytest.mark.parametrize('examples', [40, 50_000])
def test_a_batch_that_is_given_is_kept(examples):
    chosen = registry.spec('maf').recipes['vectors']
    fitted = chosen.fitted(examples, batch_size=32)
    assert fitted.training.batch_size == 32
    assert fitted.training.epochs == min(200, round(chosen.steps / (examples // 32)))


@pytest.mark.parametrize('name', NAMES)
def test_other_recipes_are_as_they_are(name):
    for key, chosen in registry.spec(name).recipes.items():
        if key not in ('small', 'vectors'):
            assert chosen.steps is None and chosen.fitted(100) is chosen
