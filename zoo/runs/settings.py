"""`Settings`: how a run is kept, where it is computed, and what is left of it."""

import dataclasses
import re

from zoo.cli import ranges
from zoo.models import recipe

SAME_CHECKPOINTS = 'see the same checkpoints in --workdir, which they share'
_SECONDS = {'s': 1, 'm': 60, 'h': 3600}


def interval(text: str) -> tuple[int | None, float | None]:
    """Returns the steps and the seconds that a text such as '500steps' or '10m' stands for.

    One of the two is None.

    Raises:
        ValueError: If it stands for neither: 'must be ...'.
    """
    match = re.fullmatch(r'(\d{1,9})(s|m|h|steps)', text)
    if not match or not int(match[1]):
        raise ValueError('must be a time such as 30s, 10m or 2h, or a number such as 500steps')
    if match[2] == 'steps':
        return int(match[1]), None
    return None, float(int(match[1]) * _SECONDS[match[2]])


@dataclasses.dataclass(frozen=True)
class Settings(recipe.Hyperparameters):
    """How a run is kept, where it is computed, and what is left of it; each may change any time."""

    save_every: str = recipe.field(
        '10m', 'Write a checkpoint so often within an epoch: a time such as 10m, or a number of '
        'steps such as 500steps. One is also written after each epoch.', check=interval)
    keep: int = recipe.field(
        2, 'Number of checkpoints that are kept, the newest ones, besides that of the best epoch.')
    select: str = recipe.field(
        'best', 'What is evaluated, exported and published: the epoch with the best figure on the '
        'validation split, or the last one.', choices=('best', 'last'))
    patience_nan: int = recipe.field(
        10, 'Number of steps in a row whose loss or gradients are not finite, and which are not '
        'applied, after which the run goes back to its last checkpoint with half the step size.')
    strategy: str = recipe.field(
        'none', 'Devices: one (none), several of this machine (mirrored), or those of several '
        'processes that TF_CONFIG names (multi_worker).',
        choices=('none', 'mirrored', 'multi_worker'))
    replicas: int = recipe.field(
        0, 'Number of devices; 0 for all GPUs. Without a GPU, the processor is divided into so '
        'many.', ranges.WHOLE, used_with={'strategy': ('mirrored',)})
    towers: str = recipe.field(
        'auto', 'Number of shares of a batch that are computed beside each other, each with one '
        'thread; auto: one for each core, if there is no GPU and the recipe is known to gain by '
        'it.', check=ranges.check_towers, used_with={'strategy': ('none', 'multi_worker')})
    peer_seconds: int = recipe.field(
        120, 'Seconds that each process waits for the others that TF_CONFIG names when it starts.',
        used_with={'strategy': ('multi_worker',)})
    sample_images: int = recipe.field(64, 'Images in samples.png.')
    sample_temperature: float | None = recipe.field(
        None, 'Temperature of the samples in samples.png. Default: .7; of VAEs 1.')
    importance_samples: int | None = recipe.field(
        None, 'Also measure the importance-weighted bound of a VAE with so many samples.')
