"""A run directory belongs to one process at a time."""

import os
import shutil
import signal
import subprocess
import sys

import pytest

from zoo.cli import errors
from zoo.runs import lock

OWNER = '''
import pathlib, sys
from zoo.runs import lock
with lock.locked(pathlib.Path(sys.argv[1])):
    print('owned', flush=True)
    sys.stdin.read()
'''


def test_another_process_is_named_until_it_dies(tmp_path):
    with subprocess.Popen([sys.executable, '-c', OWNER, str(tmp_path)], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout.readline() == 'owned\n'
        with pytest.raises(errors.UsageError, match=f'process {owner.pid} on '), \
                lock.locked(tmp_path):
            pass
        os.kill(owner.pid, signal.SIGKILL)
        owner.wait()
    with lock.locked(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_made_anew_is_another_one(tmp_path):
    folder = tmp_path / 'run'
    folder.mkdir()
    with lock.locked(folder) as is_ours:
        assert is_ours()
        shutil.rmtree(folder)
        assert not is_ours()
        folder.mkdir()
        with lock.locked(folder) as is_theirs:
            assert is_theirs() and not is_ours()
    assert list(folder.iterdir()) == []


def test_it_can_be_had_again_and_again(tmp_path):
    for _ in range(2):
        with lock.locked(tmp_path), pytest.raises(errors.UsageError), lock.locked(tmp_path):
            pass
