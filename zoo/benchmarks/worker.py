"""The process that measures one peer: it builds the peer, makes the first call, then times rounds.

Each line of standard input asks for one round. Each report is one line of JSON on standard output.
This command runs a worker alone: `echo | python -m zoo.benchmarks.worker --peer=tfb --what=train`.
"""

import importlib
import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from zoo.benchmarks import flops, load, memory
from zoo.benchmarks import job as jobs
from zoo.benchmarks.job import Job

WARM_UP_CALLS = 2
LEAST_CALLS = 3


def main(arguments: Sequence[str]) -> None:
    """Does the job that the command line describes."""
    job = Job.parse(arguments)
    peer = jobs.PEERS[job.peer]
    module = importlib.import_module(f'zoo.benchmarks.peer_{peer.module}')
    if job.what == 'matmul':
        _report(ready=True)
        _serve(lambda: {'gflops': module.matmul_gflops(job.seconds, peer.bfloat16)})
        return

    # The clock starts after the imports and stops when the first call's result is there.
    start = time.perf_counter()
    model = module.build(job, **peer.options)
    call = model.task(job.what)
    built = time.perf_counter()
    parameters = sum(math.prod(weight.shape) for weight in model.weights)
    if parameters < flops.network_parameters(job):
        raise RuntimeError(f'{job.peer} trains {parameters} parameters; its networks alone have '
                           f'{flops.network_parameters(job)}.')
    # Parameters and optimizer state exist by now, and all that follows counts as memory beyond
    # them.
    peak = memory.PeakMemory()
    resumed = time.perf_counter()
    model.initialize(job.what)
    call()
    first = time.perf_counter()

    for _ in range(WARM_UP_CALLS):
        call()
    _report(build_seconds=built - start, first_seconds=built - start + first - resumed,
            parameters=parameters, memory_exact=peak.exact, **_memory(peak))
    _serve(lambda: {'images_per_second': job.batch / _seconds_per_call(call, job.seconds),
                    **_memory(peak)})


def _serve(measurement: Callable[[], dict[str, Any]]) -> None:
    for _ in sys.stdin:
        others = load.OtherLoad()
        _report(**measurement(), other_cores=others.cores())


def _memory(peak: memory.PeakMemory) -> dict[str, float]:
    return {'peak_mb': peak.peak_mb(), 'beyond_state_mb': peak.beyond_mb()}


def _seconds_per_call(call: Callable[[], object], seconds: float) -> float:
    """Returns the median over as many calls as fit into `seconds`, and at least three."""
    times: list[float] = []
    while len(times) < LEAST_CALLS or sum(times) < seconds:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _report(**values: Any) -> None:
    print(json.dumps(values), flush=True)


if __name__ == '__main__':
    main(sys.argv[1:])
