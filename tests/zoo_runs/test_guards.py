"""Numbers that are not finite never reach the disk, and a run gets out of them or stops."""

import numpy as np
import pytest
import tensorflow as tf
from tiny_training import Killed, TinyRun

from zoo.cli import errors
from zoo.runs.settings import Settings

SETTINGS = Settings(save_every='3steps', patience_nan=2)


def too_large_steps(model):
    """Makes the loss NaN while the step size is the whole one, from the fifth step on."""
    loss, optimizer = model.objective.loss, model.optimizer

    def faulty(*args, **kwargs):
        is_faulty = (optimizer.step_factor > .6) & (optimizer.iterations >= 5)
        return loss(*args, **kwargs) + tf.where(is_faulty, np.nan, 0.)
    model.objective.loss = faulty


def test_a_run_goes_back_with_half_the_step_size(tmp_path, capsys):
    run = TinyRun(tmp_path / 'run', settings=SETTINGS)
    with pytest.raises(Killed):
        run.go_on(at=9, change=too_large_steps)
    training = run.go_on(change=too_large_steps)  # The killed process had halved it.
    said = capsys.readouterr().out
    assert said.count('goes back') == 1
    assert 'in 2 steps up to step 7; the run goes back to step 3 with 0.5' in said
    state, arrays = run.directory.checkpoints().newest()
    assert (state.halvings, state.returned_at, state.step) == (1, [7], 14)
    assert all(np.isfinite(a).all() for a in arrays.values())
    assert training.state.rows[1]['learning_rate'] >= 0
    straight = TinyRun(tmp_path / 'straight', settings=SETTINGS)
    straight.go_on(change=too_large_steps)
    expected = straight.directory.checkpoints().newest()[1]
    for name, array in expected.items():
        np.testing.assert_array_equal(arrays[name], array, name)


def test_it_stops_after_three_times_and_names_the_layer(tmp_path, capsys):
    run = TinyRun(tmp_path / 'run', settings=SETTINGS, learning_rate=1e36, schedule='constant',
                  warmup_epochs=0.)
    with pytest.raises(errors.Failure, match='also with an eighth of the step size: .* those of '
                                             '.*auto.*The last checkpoint is kept'):
        run.go_on()
    assert capsys.readouterr().out.count('goes back') == 3
    state, arrays = run.directory.checkpoints().newest()
    assert state.halvings == 3 and all(np.isfinite(a).all() for a in arrays.values())
