"""Programs write nothing of TensorFlow's log to the standard error stream when it starts."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from zoo.cli import quiet

ROOT = pathlib.Path(__file__).parents[2]
LOG = ('WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n'
       'I0000 00:00:1795881772.195343   13338 port.cc:153] oneDNN custom operations are on.\n'
       'E0000 00:00:1795881772.195343   13338 cuda_dnn.cc:8454] Unable to register cuDNN factory\n'
       '2026-01-02 03:04:05.678901: I tensorflow/core/cpu_feature_guard.cc:210] This binary\n'
       'To enable the following instructions: AVX2 FMA, rebuild TensorFlow.\n')


def python(*arguments, **settings):
    environment = {name: value for name, value in os.environ.items()
                   if name != 'TF_CPP_MIN_LOG_LEVEL'}
    done = subprocess.run([sys.executable, *arguments], env=environment | settings, check=False,
                          capture_output=True, text=True, timeout=600, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done


def test_a_program_is_silent(tmp_path):
    """The program starts TensorFlow, Keras and TFP, and runs a network."""
    done = python('-m', 'zoo.sample', '--preset=glow_digits', '--num=1', f'--out={tmp_path}/x.npy')
    assert done.stderr == ''
    assert len(done.stdout.splitlines()) == 1 and np.load(tmp_path / 'x.npy').shape == (1, 8, 8, 1)


def test_a_user_who_asks_for_the_log_gets_it():
    done = python('-c', 'from zoo.cli import program; program.start_tensorflow()',
                  TF_CPP_MIN_LOG_LEVEL='0')
    assert quiet._NOISE.match(done.stderr) and 'cpu_feature_guard' in done.stderr


@pytest.fixture
def tensorflow(tmp_path, monkeypatch):
    """`tensorflow(source)` sets what the module of this name does when it is imported."""
    monkeypatch.delitem(sys.modules, 'tensorflow')
    monkeypatch.syspath_prepend(tmp_path)
    return (tmp_path / 'tensorflow.py').write_text


@pytest.mark.parametrize('show_log', [False, True])
def test_only_the_log_is_held_back(show_log, tensorflow, capfd):
    tensorflow(f'import os, sys\nos.write(2, {LOG.encode()!r})\n'
               'print("a warning", file=sys.stderr)\nos.write(2, b"no log \\xff")\nprint("out")\n')
    quiet.import_tensorflow(show_log)
    printed = capfd.readouterr()
    rest = 'a warning\nno log \ufffd'
    assert printed.out == 'out\n' and printed.err.rstrip('\n') == (LOG if show_log else '') + rest
    assert 'tensorflow' in sys.modules


def test_what_goes_wrong_is_shown(tensorflow, capfd):
    """The exception goes on, and what was written before it is not lost."""
    tensorflow(f'import os\nos.write(2, {LOG.encode()!r} + b"no such library\\n")\n'
               'raise ImportError("libcublas")\n')
    with pytest.raises(ImportError, match='libcublas'):
        quiet.import_tensorflow(show_log=False)
    assert capfd.readouterr().err == 'no such library\n'
    os.write(2, b'as before\n')
    assert capfd.readouterr().err == 'as before\n'


def test_an_imported_tensorflow_is_left_alone(capfd):
    quiet.import_tensorflow(show_log=False)
    assert capfd.readouterr().err == ''


def test_without_a_standard_error_stream(tensorflow):
    """A daemon has none: there is nothing to hold back."""
    tensorflow('loaded = True\n')
    kept = os.dup(2)
    os.close(2)
    try:
        quiet.import_tensorflow(show_log=False)
        assert sys.modules['tensorflow'].loaded
    finally:
        os.dup2(kept, 2)
        os.close(kept)
