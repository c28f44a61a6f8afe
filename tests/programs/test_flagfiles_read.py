"""Tests `zoo.cli.flagfiles`: what a file of flags may hold, and what it may be."""

import os
import pathlib
import subprocess
import sys
import time

import pytest

from zoo.cli import errors, flagfiles

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture
def write(tmp_path, monkeypatch):
    """`write(name, *lines)` makes a file of flags in the current folder."""
    monkeypatch.chdir(tmp_path)
    return lambda name, *lines: pathlib.Path(name).write_text('\n'.join(lines) + '\n')


def program(*flags):
    """Runs a process of the program that starts fastest."""
    return subprocess.run(
        [sys.executable, '-m', 'zoo.curve', *flags], check=False, capture_output=True, text=True,
        timeout=60, env=dict(os.environ, PYTHONPATH=str(ROOT)))


def test_flags_of_files_come_first_and_comments_go(write):
    write('a', '# a comment', '--x=1', '', '  // another', '--flagfile=b', '  --noy  ')
    pathlib.Path('b').write_bytes('\ufeff--name=ä b\r\n'.encode())
    assert flagfiles.expand(['--x=2', '--flagfile=a', 'IN', '-flagfile', 'b']) == [
        '--x=1', '--name=ä b', '--noy', '--name=ä b', '--x=2', 'IN']
    assert flagfiles.expand(['--x', '--', '--flagfile=none']) == ['--x', '--', '--flagfile=none']


def test_a_file_may_be_read_twice_but_not_by_itself(write):
    write('both', '--flagfile=one', '--flagfile=one')
    write('one', '--x=1')
    assert flagfiles.expand(['--flagfile=both']) == ['--x=1', '--x=1']
    write('itself', '--x=1', '--flagfile=./itself')
    write('ping', '--flagfile=pong')
    write('pong', '--flagfile=ping')
    for name, words in (('itself', "'./itself' is included by 'itself'"),
                        ('ping', "'ping' is included by 'pong'")):
        with pytest.raises(errors.UsageError, match=f'--flagfile must not include itself; {words}'):
            flagfiles.expand([f'--flagfile={name}'])


def test_a_long_chain_of_files(write):
    """It needs no recursion, and no time that grows with the square of the number of files."""
    for number in range(1200):
        write(f'{number}', f'--flagfile={number + 1}')
    write('1200', '--x=1')
    start = time.process_time()
    assert flagfiles.expand(['--flagfile=0']) == ['--x=1']
    assert time.process_time() - start < 1


def test_values_of_a_flag():
    arguments = ['--model=a', '-model', 'b', '--models=c', 'model=d', '--model']
    assert flagfiles.all_given(arguments, 'model') == ['a', 'b', '']
    assert flagfiles.given(arguments[:3], 'model') == 'b'
    assert flagfiles.given(arguments, 'recipe') is None


@pytest.mark.parametrize('make, words', [
    (lambda path: path.write_bytes(b'--x=\xff\n'), 'UTF-8 that can be read .it is not UTF-8.'),
    (lambda path: None, 'can be read .No such file or directory.'),
    (lambda path: path.mkdir(), 'be a regular file'),
    (lambda path: path.symlink_to('/dev/zero'), 'be a regular file'),
    (lambda path: path.symlink_to(path), 'that can be read'),
    (lambda path: path.write_text('--x=1\nx=2\n'), "hold flags, .*; '.*' holds 'x=2'"),
    (lambda path: path.write_bytes(b'#' * (2**20 + 1)), 'of at most 1,048,576 bytes')])
def test_files_that_are_no_files_of_flags(make, words, tmp_path):
    path = tmp_path / 'x.flags'
    make(path)
    for arguments in ([f'--flagfile={path}'], ['--flagfile', str(path)]):
        with pytest.raises(errors.UsageError, match=f'--flagfile must .*{words}') as caught:
            flagfiles.expand(arguments)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize('arguments', [['--flagfile='], ['--flagfile']])
def test_a_file_must_be_named(arguments):
    with pytest.raises(errors.UsageError, match='--flagfile must name a file of flags; got nothin'):
        flagfiles.expand(arguments)


def test_a_pipe_does_not_hang_a_program(write):
    os.mkfifo('pipe')
    for name in ('pipe', '/dev/zero'):
        done = program(f'--flagfile={name}')
        assert done.returncode == 2 and not done.stdout
        assert done.stderr == f"error: --flagfile must be a regular file; got '{name}'.\n"


def test_the_command_line_wins_over_the_file(write):
    write('x.flags', '--workdir=of_the_file', '--out=x.png')
    for flags, name in (([], 'of_the_file'), (['--workdir=of_the_line'], 'of_the_line')):
        for given in ([*flags, '--flagfile=x.flags'], ['--flagfile=x.flags', *flags]):
            done = program(*given)
            assert done.returncode == 2
            assert done.stderr == f"error: --workdir must hold a metrics.csv; got '{name}'.\n"
