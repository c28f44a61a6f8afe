"""A run starts with trained weights where names and shapes agree, and says where they do not."""

import dataclasses

import numpy as np
import pytest
from tiny_training import TinyRun

from zoo.cli import errors
from zoo.runs import initial_weights, opening


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    run = TinyRun(tmp_path_factory.mktemp('source') / 'run', epochs=1)
    run.go_on()
    return run


def weights(model):
    values = {}
    model.store_weights(values)
    return values


def changed(source, **config):
    run = dataclasses.replace(source.run, config=dataclasses.replace(source.run.config, **config))
    return run, run.build(source.data)


def test_all_are_those_of_the_run(source, capsys):
    run, model = changed(source)
    start = initial_weights.take_from(str(source.directory.path), run, model)
    assert start == {'from': str(source.directory.path), 'fresh': [], 'not_taken': []}
    trained = opening.load(source.directory.path).model
    with trained.averaged_weights():
        expected = weights(trained)
    for name, value in weights(model).items():
        np.testing.assert_array_equal(value, expected[name], name)
    assert f'weights: {len(expected)} of {len(expected)} are those of' in capsys.readouterr().out


def test_where_shapes_differ_they_are_fresh(source, capsys):
    run, model = changed(source, hidden='16', layers=2)
    fresh = weights(model)
    start = initial_weights.take_from(str(source.directory.path), run, model)
    taken = set(fresh) - set(start['fresh'])
    assert start['fresh'] and taken
    for name, value in weights(model).items():
        same = np.array_equal(value, fresh[name])
        assert same or name in taken, name
    assert 'fresh ones, as their shapes or names differ: ' in capsys.readouterr().out


def test_another_model_is_refused(source):
    run, model = changed(source)
    with pytest.raises(errors.UsageError, match=r'--from must be of --model=maf; .* is of glow'):
        initial_weights.take_from('glow_digits', run, model)
    with pytest.raises(errors.UsageError, match='must be'):
        initial_weights.take_from('no_such_preset', run, model)


def test_flags_of_parts_that_are_not_whole_stay_unset():
    names = ['flow.act_norm.initialized', 'flow.act_norm.shift', 'flow.other.initialized',
             'flow.other.shift']
    assert initial_weights._flags_of(['flow.act_norm.shift'], dict.fromkeys(names)) == [
        'flow.act_norm.initialized']
