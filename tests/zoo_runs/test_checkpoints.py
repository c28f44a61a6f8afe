"""The newest whole checkpoint counts, and the best is kept."""

import numpy as np
import pytest

from zoo.cli import errors
from zoo.runs.checkpoints import Checkpoints
from zoo.runs.state import State


def save(checkpoints, figures, steps=10, state=None):
    """Saves a checkpoint after each epoch, with one figure each, and one within each epoch."""
    state = state or State()
    for figure in figures:
        state.step, state.batch = state.step + steps // 2, steps // 2
        checkpoints.save(state, {'w': np.float32(state.step)})
        state.step += steps - steps // 2
        state.end_epoch({'epoch': state.epoch + 1, 'loss': 0., 'val_loss': -figure,
                         'val_nats': figure})
        checkpoints.save(state, {'w': np.float32(state.step)})
    return state


@pytest.fixture
def checkpoints(tmp_path):
    return Checkpoints(tmp_path / 'checkpoints', keep=2)


def test_the_newest_and_the_best_are_kept(checkpoints):
    state = save(checkpoints, [3., 1., 2., 2.5])
    assert (state.best.epoch, state.best.step, state.best.value) == (2, 20, 1.)
    assert checkpoints.steps() == [40, 35, 20]
    assert state.epochs_without_improvement == 2
    again = Checkpoints(checkpoints.folder, keep=1)  # As after a resume: it reads what they name.
    save(again, [.5], state=state)
    assert again.steps() == [50]


def test_the_best_of_an_older_one_stays_while_it_is_kept(checkpoints):
    save(checkpoints, [1., 2., .5])
    assert checkpoints.steps() == [30, 25, 10]  # 25 names the epoch that ended at step 10.


def test_a_figure_that_is_not_finite_is_never_the_best():
    state = State()
    for value in (float('nan'), 2., float('inf')):
        state.end_epoch({'epoch': state.epoch + 1, 'val_nats': value})
    assert state.best.value == 2. and state.rows[0]['val_nats'] is None
    assert State.from_json(state.to_json()) == state


@pytest.mark.parametrize('damage', [
    lambda path: path.write_bytes(path.read_bytes()[:-9]), lambda path: path.write_bytes(b''),
    lambda path: path.unlink() or path.mkdir()])
def test_damaged_ones_are_set_aside(checkpoints, damage):
    save(checkpoints, [3., 2.])
    damage(checkpoints.folder / 'step-20.checkpoint')
    said = []
    state, arrays = checkpoints.newest(said.append)
    assert state.step == 15 and arrays['w'] == 15.
    assert len(said) == 2 and 'step-20.checkpoint' in said[0] and 'set aside' in said[0]
    assert said[1] == 'the run goes on from step 15, in epoch 2; 5 steps are lost.'
    assert (checkpoints.folder / 'step-20.checkpoint.damaged').exists()
    assert checkpoints.steps() == [15, 10]


def test_none_is_whole(checkpoints):
    assert checkpoints.newest() is None
    save(checkpoints, [3.])
    for step in checkpoints.steps():
        (checkpoints.folder / f'step-{step}.checkpoint').write_bytes(b'x')
    said = []
    assert list(checkpoints.whole()) == [] and checkpoints.newest(said.append) is None
    assert len(said) == 2


def test_what_a_kill_left_is_removed(checkpoints):
    save(checkpoints, [3.])
    for name in ('.unfinished-12-0123abcd', '.mine'):
        (checkpoints.folder / name).write_bytes(b'half')
    checkpoints.remove_unfinished()
    assert {p.name for p in checkpoints.folder.iterdir()} == {
        'step-5.checkpoint', 'step-10.checkpoint', '.mine'}


def test_a_folder_that_vanished_or_is_no_folder(checkpoints, tmp_path):
    checkpoints.folder.write_text('a file')
    with pytest.raises(errors.Failure, match=r'checkpoint of step 0 cannot be written'):
        checkpoints.save(State(), {})
    gone = Checkpoints(tmp_path / 'gone' / 'checkpoints')
    with pytest.raises(errors.Failure, match='has vanished'):
        gone.save(State(), {})
    assert not (tmp_path / 'gone').exists()
