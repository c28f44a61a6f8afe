"""The codec of a preset: its flow of integers, its instructions, its speed."""

import os
import re

from zoo.cli import errors
from zoo.runs import preset
from zoo.runs.preset import Preset

INSTRUCTIONS = 'AVX2'
_ISA = 'ONEDNN_MAX_CPU_ISA'


def read_preset(name: str) -> Preset:
    """Returns the preset of a name, whose flow is one of integers.

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


def limit_instructions(settings=None):
    """Has oneDNN keep to what most machines have, or to what a file's settings say.

    Different instructions sum in different orders: a file that one machine wrote with its widest
    ones could not be read by a lesser machine. Called before any network has run.

    Args:
        settings: text of a file's header; None to write a file.
    """
    if settings is None:
        os.environ.setdefault(_ISA, INSTRUCTIONS)
    else:
        found = re.match(r'\S+ ([A-Z]\w*)', settings)
        os.environ[_ISA] = found[1] if found else 'ALL'


def speeds(codec, source_bytes, coded_bytes):
    """A line about bits/dim and where the time went."""
    coders = list(codec.coders.values())
    symbols, seconds, network, stored = (
        sum(getattr(coder, name) for coder in coders)
        for name in ('symbols', 'coder_seconds', 'network_seconds', 'stored'))
    text = (f'{8 * coded_bytes / source_bytes:.4f} bits/dim, {coded_bytes} of {source_bytes} '
            f'bytes; networks {network:.1f} s ({network / max(network + seconds, 1e-9):.1%}), '
            f'coder {seconds:.2f} s, {symbols / max(seconds, 1e-9) / 1e6:.2f} M symbols/s')
    return f'{text}; {stored} batches stored as they are' if stored else text
