"""What a preset's codec needs: its flow of integers, its processor instructions, its speed."""

import os
import re
from typing import TYPE_CHECKING

from zoo.cli import errors
from zoo.runs import preset
from zoo.runs.preset import Preset

if TYPE_CHECKING:
    from tfp_glow import coding

INSTRUCTIONS = 'AVX2'  # What most machines have.
_ISA = 'ONEDNN_MAX_CPU_ISA'


def read_preset(name: str) -> Preset:
    """Returns a preset whose flow is one of integers.

    Args:
        name: Its name or its folder.

    Raises:
        UsageError: If there is no such preset, or it is of another kind.
    """
    from tfp_glow import dequantization
    try:
        opened = preset.read(name)
    except errors.UsageError as error:
        raise errors.UsageError(re.sub('^preset', '--preset', str(error))) from None
    if not dequantization.is_discrete(opened.flow):
        raise errors.UsageError('--preset must be of a flow of integers, such as idf; '
                                f'got {name!r}, a {type(opened.flow).__name__}.')
    return opened


def limit_instructions(settings: str | None = None) -> None:
    """Makes oneDNN use only the instructions that most machines have, or those of a file.

    Different instructions sum in different orders: a file that one machine wrote with its widest
    ones could not be read by a lesser machine. This has to be called before any network has run.

    Args:
        settings: The text in the header of the file that is read; None if a file is written.
    """
    if settings is None:
        os.environ.setdefault(_ISA, INSTRUCTIONS)
    else:
        instructions = re.match(r'\S+ ([A-Z]\w*)', settings)
        os.environ[_ISA] = instructions[1] if instructions else 'ALL'


def speeds(codec: 'coding.Codec', source_bytes: int, coded_bytes: int) -> str:
    """Returns a line about bits/dim and about what the time was spent on.

    Args:
        codec: The codec after its work.
        source_bytes: The number of bytes of the images.
        coded_bytes: The number of bytes of the file.
    """
    coders = list(codec.coders.values())
    symbols, seconds, network, stored = (
        sum(getattr(coder, name) for coder in coders)
        for name in ('symbols', 'coder_seconds', 'network_seconds', 'stored'))
    text = (f'{8 * coded_bytes / source_bytes:.4f} bits/dim, {coded_bytes} of {source_bytes} '
            f'bytes; networks {network:.1f} s ({network / max(network + seconds, 1e-9):.1%}), '
            f'coder {seconds:.2f} s, {symbols / max(seconds, 1e-9) / 1e6:.2f} M symbols/s')
    return f'{text}; {stored} batches stored as they are' if stored else text
