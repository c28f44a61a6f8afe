"""A disk that is full and a directory that vanishes stop a run with one line; nothing is lost."""

import errno
import os
import shutil

import pytest
from tiny_training import TinyRun

from zoo.cli import errors
from zoo.runs.settings import Settings


def test_a_full_disk_loses_nothing(tmp_path, monkeypatch):
    run = TinyRun(tmp_path / 'run', epochs=1, settings=Settings(save_every='3steps'))

    def fill_the_disk():
        def fail(descriptor):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        monkeypatch.setattr(os, 'fsync', fail)
    with pytest.raises(errors.Failure, match=r'step 6 cannot be written .*No space left on device'):
        run.go_on(at=5, action=fill_the_disk)
    folder = run.directory.path / 'checkpoints'
    assert sorted(p.name for p in folder.iterdir()) == ['step-0.checkpoint', 'step-3.checkpoint']
    monkeypatch.undo()  # Someone made room.
    assert run.go_on().state.epoch == 1


def test_a_directory_that_vanishes_stops_the_run(tmp_path):
    run = TinyRun(tmp_path / 'run', epochs=1, settings=Settings(save_every='3steps'))
    with pytest.raises(errors.Failure, match='has vanished'):
        run.go_on(at=5, action=lambda: shutil.rmtree(tmp_path / 'run'))
    assert not (tmp_path / 'run').exists()
