"""A checkpoint is as it was written, or is known not to be."""

import hashlib
import io
import json
import re

import numpy as np
import pytest

from zoo.cli import errors
from zoo.runs import checkpoint_file
from zoo.runs.checkpoint_file import Damaged

STATE = {'epoch': 3, 'rows': [{'loss': .5, 'nats': None}]}
ARRAYS = {'weights/a.b': np.arange(6, dtype=np.float32).reshape(2, 3), 'n': np.int64(7),
          'empty': np.zeros([0, 4]), 'flag': np.array(True)}


@pytest.fixture
def path(tmp_path):
    checkpoint_file.write(tmp_path / 'c', STATE, ARRAYS)
    return tmp_path / 'c'


def test_holds_what_was_written(path):
    state, arrays = checkpoint_file.read(path)
    assert state == STATE and arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert arrays[name].dtype == np.asarray(array).dtype
    assert [p.name for p in path.parent.iterdir()] == ['c']


def test_the_first_line_is_the_sum_of_the_rest(path):
    first, rest = path.read_bytes().split(b'\n', 1)
    assert first == b'tfp_glow checkpoint 1 ' + hashlib.sha256(rest).hexdigest().encode()
    with np.load(io.BytesIO(rest)) as members:  # The rest is an npz that NumPy reads.
        assert json.loads(members['state.json'].tobytes()) == STATE


def flipped(at):
    return lambda data: data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]


@pytest.mark.parametrize('damage', [
    lambda data: b'', lambda data: data[:10], lambda data: data[:80], lambda data: data[:-1],
    lambda data: data[:len(data) // 2], lambda data: data + b'\0', lambda data: data[1:],
    lambda data: bytes(len(data)), lambda data: data[86:], lambda data: b'\x80\x04' + data,
    lambda data: data.replace(b'\n', b'\r\n', 1), lambda data: data[:87] + b'XX' + data[89:],
    lambda data: data.replace(b'1 ', b'x ', 1), lambda data: data.replace(b'1 ', b'0 ', 1),
    *map(flipped, (0, 22, 60, 86, 87, 300, -1 - 22, -1))])
def test_what_is_damaged_is_refused(path, damage):
    data = path.read_bytes()
    path.write_bytes(damage(data))
    assert path.read_bytes() != data
    with pytest.raises(Damaged, match='.'):
        checkpoint_file.read(path)


def test_what_is_missing_or_a_folder_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / 'none'):
        with pytest.raises(Damaged):
            checkpoint_file.read(path)


def test_pickles_are_never_read(path):
    content = io.BytesIO()
    np.savez(content, **{'state.json': np.array([{'epoch': 1}], object)})
    rest = content.getvalue()
    path.write_bytes(b'tfp_glow checkpoint 1 ' + hashlib.sha256(rest).hexdigest().encode() + b'\n'
                     + rest)
    with pytest.raises(Damaged, match='pickle'):
        checkpoint_file.read(path)


def test_a_newer_format_is_named(path):
    path.write_bytes(path.read_bytes().replace(b'checkpoint 1', b'checkpoint 2', 1))
    with pytest.raises(errors.Failure, match='has format 2; this version .* reads up to 1'):
        checkpoint_file.read(path)


@pytest.mark.parametrize('state, arrays, name', [
    ({}, {'w': np.array([1., np.nan])}, 'w does not'),
    ({}, {'w': np.float32(-np.inf)}, 'w does not'),
    ({'best': {'value': np.nan}}, {}, 'its state does not')])
def test_numbers_that_are_not_finite_are_refused(path, state, arrays, name):
    before = path.read_bytes()
    with pytest.raises(errors.Failure, match=re.escape(name)):
        checkpoint_file.write(path, state, arrays)
    assert path.read_bytes() == before
