"""The names of activations that the zoo takes are those of Keras that hidden layers can have."""

import keras
import numpy as np
import pytest

from tfp_glow import networks
from zoo.cli import errors
from zoo.models import activations, registry

# These functions of the module are no activations.
OTHERS = {'get', 'serialize', 'deserialize'}
# `glu` halves the number of channels; `threshold` needs further arguments.
UNFIT = {'glu', 'threshold'}


def test_the_names_are_those_of_keras():
    known = {name for name in dir(keras.activations)
             if callable(getattr(keras.activations, name)) and not name.startswith('_')}
    assert set(activations.NAMES) == known - OTHERS - UNFIT
    assert list(activations.NAMES) == sorted(set(activations.NAMES))


@pytest.mark.parametrize('name', activations.NAMES)
def test_hidden_layers_take_them(name):
    network = networks.made(2, 1, [3, 3], activation=name)
    assert np.all(np.isfinite(network(np.ones([2, 2], np.float32))))


@pytest.mark.parametrize('name', sorted(UNFIT))
def test_hidden_layers_do_not_take_the_others(name):
    with pytest.raises((TypeError, ValueError)):
        networks.mlp(2, 1, [4, 4], activation=name)(np.ones([2, 2], np.float32))


@pytest.mark.parametrize('model', ['maf', 'dense_vae', 'idf'])
def test_other_texts_are_refused(model):
    with pytest.raises(errors.UsageError, match="--activation must be one of .*; got 'reloo'"):
        registry.spec(model).config(activation='reloo')
