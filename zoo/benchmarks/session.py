"""Starts workers and times them in turns, so that a disturbance of the machine meets all."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading


class Measurement:
    """A job, the process that runs it, and what it reported.

    `first` is the report of its first call, `rounds` has one report per turn. `failure` is None or
    says in one line why no more will come: the worker ended, or went over `timeout` seconds in its
    start or in a turn.
    """

    def __init__(self, job, timeout):
        self.job = job
        self.first = None
        self.rounds = []
        self.failure = None
        self._timeout = timeout
        self._errors = tempfile.TemporaryFile('w+')  # noqa: SIM115, closed in close().
        self._process = subprocess.Popen(
            [sys.executable, '-m', 'zoo.benchmarks.worker', *job.arguments()],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True,
            env=dict(os.environ, TF_CPP_MIN_LOG_LEVEL='3', KERAS_BACKEND='tensorflow'))

    def per_round(self, key):
        return [report[key] for report in self.rounds]

    def wait_for_start(self):
        self.first = self._read()

    def take_turn(self):
        if self.failure:
            return
        with contextlib.suppress(BrokenPipeError):  # A dead worker's missing report says why.
            print(file=self._process.stdin, flush=True)
        report = self._read()
        if report:
            self.rounds.append(report)

    def close(self):
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def _read(self):
        """The next report, a dict, or None and a reason in `failure`."""
        timed_out = threading.Event()

        def stop():
            timed_out.set()
            self._process.kill()
        timer = threading.Timer(self._timeout, stop)
        timer.start()
        try:
            for line in self._process.stdout:
                if line.startswith('{'):
                    return json.loads(line)
        finally:
            timer.cancel()
        if timed_out.is_set():
            self.failure = f'timed out after {self._timeout:g} s'
        else:
            self.failure = f'failed: {self._last_error()}'
        return None

    def _last_error(self):
        status = self._process.wait()
        self._errors.seek(0)
        lines = [line.strip() for line in self._errors if line.strip()]
        return lines[-1] if status > 0 and lines else f'the worker ended with status {status}'


def measure(jobs, rounds, timeout, progress):
    """A closed `Measurement` per job: started one after the other, then `rounds` turns of each."""
    measurements = []
    try:
        for job in jobs:
            progress(f'{job.what} of {job.peer} with K={job.steps_per_level}: starting')
            measurements.append(Measurement(job, timeout))
            measurements[-1].wait_for_start()
        for number in range(rounds):
            progress(f'round {number + 1} of {rounds}')
            for measurement in measurements:
                measurement.take_turn()
    finally:
        for measurement in measurements:
            measurement.close()
    return measurements
