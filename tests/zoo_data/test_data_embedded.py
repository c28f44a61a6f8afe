"""Embedded data sets are prepared once, whole or not at all, where they can be written."""

import os
import pathlib
import shutil

import numpy as np
import pytest

from zoo import data
from zoo.data import embedded


@pytest.fixture
def nothing_prepared(monkeypatch, tmp_path_factory):
    """Simulates a machine where no data set has been prepared anywhere."""
    empty = tmp_path_factory.mktemp('empty')
    monkeypatch.setattr(embedded.folders, 'default_folders', lambda: [empty])
    monkeypatch.setattr(embedded.folders, 'temporary_folder', lambda: empty)


@pytest.mark.usefixtures('nothing_prepared')
def test_an_interrupted_preparation_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(self, start, stop):
        yield start, {'image': np.zeros([8, 8, 1], np.uint8), 'label': 0}
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(embedded.digits.Digits, '_generate_examples', interrupted)
        with pytest.raises(KeyboardInterrupt):
            data.load('digits', tmp_path)
    assert not list(tmp_path.iterdir())
    (tmp_path / 'incomplete.killed' / 'digits' / '1.0.0').mkdir(parents=True)
    assert data.load('digits', tmp_path).sizes['train'] == 1437


@pytest.mark.usefixtures('nothing_prepared')
def test_the_second_of_two_preparations_takes_the_firsts_files(tmp_path, monkeypatch):
    rename = os.rename

    def too_late(source, target):
        if pathlib.Path(target) == tmp_path / 'digits' / '1.0.0':
            shutil.copytree(source, target)
            (pathlib.Path(target) / 'first').touch()
        rename(source, target)

    monkeypatch.setattr(embedded.os, 'rename', too_late)
    assert len(data.load('digits', tmp_path).take('test', 180)) == 180
    assert (tmp_path / 'digits' / '1.0.0' / 'first').exists()
    assert [p.name for p in tmp_path.iterdir()] == ['digits']


def test_embedded_sets_go_where_they_can_be_written(tmp_path, monkeypatch):
    read_only, home = tmp_path / 'read_only', tmp_path / 'home'
    read_only.mkdir()
    read_only.chmod(0o555)
    monkeypatch.setenv('TFDS_DATA_DIR', str(read_only))
    monkeypatch.setenv('HOME', str(home))
    assert data.load('digits').sizes['test'] == 180
    assert not list(read_only.iterdir())
    assert (home / 'tensorflow_datasets' / 'digits').exists()
