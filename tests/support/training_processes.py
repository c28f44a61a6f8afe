"""Runs zoo.train in processes of its own: one, or several workers of TF_CONFIG."""

import os
import signal
import subprocess
import sys
import time

import local_cluster
import numpy as np

from zoo.runs.directory import Directory

# A small flow of vectors, whose training draws no noise and leaves no weight undetermined, as those
# before a BatchNorm are.
TINY = ('--model=maf', '--dataset=moons', '--hidden=8', '--layers=1', '--nobatch_norm',
        '--batch_size=2000')


class Process:
    """A process of zoo.train; its output is in a file, so that it never waits for a reader.

    Args:
        log: The path of the file.
        flags: The flags.
        **environment: Variables of its environment.
    """

    def __init__(self, log, *flags, **environment):
        self.log = log
        kept = {k: v for k, v in os.environ.items() if k != 'TF_CPP_MIN_LOG_LEVEL'}
        with log.open('w') as file:
            self._process = subprocess.Popen(
                [sys.executable, '-m', 'zoo.train', *flags], stdout=file, stderr=subprocess.STDOUT,
                env=dict(kept, **environment))

    def wait(self, timeout=300):
        """Returns the exit status; a process that takes too long is killed first."""
        try:
            return self._process.wait(timeout)
        finally:
            self._process.kill()

    def send(self, number, after=''):
        """Sends a signal, or none if it is None, as soon as the output holds a text."""
        while after not in self.output and self._process.poll() is None:
            time.sleep(.1)
        assert after in self.output, self.output
        if number is not None:
            self._process.send_signal(number)

    def kill(self):
        """Ends the process, if it has not ended."""
        self._process.kill()
        self._process.wait()

    @property
    def output(self):
        return self.log.read_text()

    @property
    def errors(self):
        """The lines that say what went wrong; there must be no others, such as a traceback's."""
        assert 'Traceback' not in self.output, self.output
        return [line for line in self.output.splitlines() if line.startswith(('error:', 'stopped'))]


def run(folder, *flags):
    """Runs zoo.train to its end; returns its exit status and the `Process`."""
    process = Process(folder / 'alone.log', *flags)
    return process.wait(), process


def workers(folder, *flags, count=2, own=((), ())):
    """Starts several workers; returns them, the chief first.

    Args:
        folder: Where their output is kept.
        *flags: The flags of all of them.
        count: The number of workers that TF_CONFIG names.
        own: Further flags of each worker that is started.
    """
    return [Process(folder / f'worker_{i}.log', *flags, *more, TF_CONFIG=config)
            for i, (more, config) in enumerate(zip(own, local_cluster.configs(count)))]


def end(processes):
    """Waits for the end of all; returns their exit statuses."""
    try:
        return [process.wait() for process in processes]
    finally:
        for process in processes:
            process.kill()


def newest(workdir):
    """Returns the state and the arrays of the newest checkpoint of a run."""
    return Directory(workdir).checkpoints().newest()


def assert_same_run(workdir, expected):
    """Checks that two runs ended alike, to the bit."""
    (state, arrays), (other, others) = newest(workdir), newest(expected)
    assert state.step == other.step and arrays.keys() == others.keys()
    for name, array in others.items():
        np.testing.assert_array_equal(arrays[name], array, name)
    for row, other_row in zip(state.rows, other.rows, strict=True):
        assert {**row, 'seconds': 0} == {**other_row, 'seconds': 0}


KILL, TERM = signal.SIGKILL, signal.SIGTERM
