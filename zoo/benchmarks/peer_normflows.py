"""Builds normflows' Glow on PyTorch.

It has a sigmoid scale, LU 1x1 convolutions and no actnorm in the networks.
"""

import time
from collections.abc import Callable
from typing import Any

import normflows
import torch

from zoo.benchmarks import data
from zoo.benchmarks import job as jobs
from zoo.cli import processor

_MATMUL_SIZE = 2048


def build(job: jobs.Job, threads: int | None = None, bfloat16: bool = False) -> 'TorchModel':
    """Returns the model of a job.

    Args:
        job: The job.
        threads: The number of threads; by default one for each core.
        bfloat16: Whether to compute under `torch.autocast` in bfloat16.
    """
    torch.manual_seed(0)
    torch.set_num_threads(threads or processor.cores())
    bases, flows, merges = [], [], []
    for level in reversed(range(job.levels)):  # normflows counts from the latents up.
        size, channels = job.size >> (level + 1), jobs.CHANNELS * 4 << level
        steps = [normflows.flows.GlowBlock(channels, job.width) for _ in range(job.steps_per_level)]
        flows.append(steps + [normflows.flows.Squeeze()])
        is_last = level == job.levels - 1
        if not is_last:
            merges.append(normflows.flows.Merge())
        latent_shape = (channels if is_last else channels // 2, size, size)
        bases.append(normflows.distributions.DiagGaussian(latent_shape, trainable=False))
    flow = normflows.MultiscaleFlow(bases, flows, merges, class_cond=False)
    return TorchModel(flow, job, bfloat16)


class TorchModel:
    """Eager calls of a normflows flow, as its users make them."""

    def __init__(self, flow: Any, job: jobs.Job, bfloat16: bool = False) -> None:
        self._flow, self._bfloat16 = flow, bfloat16
        batch = torch.from_numpy(data.uniform_images(job))
        self._batch = batch.permute(0, 3, 1, 2).contiguous()
        self.weights = list(flow.parameters())

    def initialize(self, what: str) -> None:
        """Sets the data-dependent parameters, if the calls of a task do not do it themselves."""
        # normflows' actnorm initialises itself from the first batch. Under autocast its parameters
        # would become bfloat16, which PyTorch's Adam does not take.
        if what == 'sample' or self._bfloat16:
            with torch.no_grad():
                self._flow.log_prob(self._batch, None)

    def task(self, what: str) -> Callable[[], Any]:
        """Returns a call without arguments, which returns when its numbers are there."""
        return {'train': self._training_step, 'log_prob': lambda: self._log_prob,
                'sample': lambda: self._sample}[what]()

    @torch.no_grad()
    def _log_prob(self) -> Any:
        with self._autocast():
            return self._flow.log_prob(self._batch, None).float().numpy()

    @torch.no_grad()
    def _sample(self) -> Any:
        with self._autocast():
            return self._flow.sample(len(self._batch))[0].float().numpy()

    def _autocast(self) -> Any:
        return torch.autocast('cpu', torch.bfloat16, enabled=self._bfloat16)

    def _training_step(self) -> Callable[[], float]:
        optimizer = torch.optim.Adam(self.weights, lr=data.LEARNING_RATE)
        # PyTorch makes an optimizer's state in its first step. With gradients of zero, this step
        # changes no weight.
        for weight in self.weights:
            weight.grad = torch.zeros_like(weight)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

        def step() -> float:
            optimizer.zero_grad(set_to_none=True)
            with self._autocast():
                loss = self._flow.forward_kld(self._batch)
            loss.backward()
            lost = sum(weight.grad is None for weight in self.weights)
            if lost:
                raise RuntimeError(f'{lost} of {len(self.weights)} parameters get no gradient.')
            optimizer.step()
            return loss.item()

        return step


def matmul_gflops(seconds: float, bfloat16: bool = False) -> float:
    """Returns the best rate of a large matrix product, in 1e9 operations per second.

    Args:
        seconds: The time that it may take.
        bfloat16: Whether to multiply in bfloat16 and not in float32.
    """
    torch.set_num_threads(processor.cores())
    matrix = torch.randn([_MATMUL_SIZE, _MATMUL_SIZE])
    matrix = matrix.bfloat16() if bfloat16 else matrix
    best, end = float('inf'), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        torch.matmul(matrix, matrix)
        best = min(best, time.perf_counter() - start)
    return 2 * _MATMUL_SIZE**3 / best / 1e9
