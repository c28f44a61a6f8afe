"""Starts workers and times them in turns, so that a disturbance of the machine affects all."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from typing import Any

from zoo.benchmarks.job import Job


class Measurement:
    """A job, the process that runs it, and what it reported.

    Args:
        job: The job.
        timeout: The seconds that the worker may take for its start, and for each turn.

    Attributes:
        job: The job.
        first: The report of the first call, or None if there is none.
        rounds: One report per turn.
        failure: None, or one line that says why no more reports will come: the worker ended, or it
            took more than `timeout` seconds for its start or for a turn.
    """

    def __init__(self, job: Job, timeout: float) -> None:
        self.job = job
        self.first: dict[str, Any] | None = None
        self.rounds: list[dict[str, Any]] = []
        self.failure: str | None = None
        self._timeout = timeout
        self._errors = tempfile.TemporaryFile('w+')  # noqa: SIM115, `close` closes it.
        self._process = subprocess.Popen(
            [sys.executable, '-m', 'zoo.benchmarks.worker', *job.arguments()],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True,
            env=dict(os.environ, TF_CPP_MIN_LOG_LEVEL='3', KERAS_BACKEND='tensorflow'))

    def per_round(self, key: str) -> list[Any]:
        """Returns one figure of each turn's report."""
        return [report[key] for report in self.rounds]

    def wait_for_start(self) -> None:
        """Waits for the report of the first call."""
        self.first = self._read()

    def take_turn(self) -> None:
        """Lets the worker time one round and waits for its report."""
        if self.failure:
            return
        with contextlib.suppress(BrokenPipeError):  # A dead worker's missing report says why.
            print(file=self._process.stdin, flush=True)
        report = self._read()
        if report:
            self.rounds.append(report)

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def _read(self) -> dict[str, Any] | None:
        """Returns the next report, or None after it set a reason in `failure`."""
        timed_out = threading.Event()

        def stop() -> None:
            timed_out.set()
            self._process.kill()
        timer = threading.Timer(self._timeout, stop)
        timer.start()
        try:
            for line in self._process.stdout or ():
                if line.startswith('{'):
                    return json.loads(line)
        finally:
            timer.cancel()
        if timed_out.is_set():
            self.failure = f'timed out after {self._timeout:g} s'
        else:
            self.failure = f'failed: {self._last_error()}'
        return None

    def _last_error(self) -> str:
        status = self._process.wait()
        self._errors.seek(0)
        lines = [line.strip() for line in self._errors if line.strip()]
        return lines[-1] if status > 0 and lines else f'the worker ended with status {status}'


def measure(jobs: Sequence[Job], rounds: int, timeout: float,
            progress: Callable[[str], object]) -> list[Measurement]:
    """Starts the jobs one after the other, then takes `rounds` turns of each.

    Returns:
        A closed `Measurement` per job.
    """
    measurements: list[Measurement] = []
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
