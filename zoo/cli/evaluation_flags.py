"""The flags that say how precisely a program evaluates a trained model."""

from typing import Any

from absl import flags

from zoo.cli import number_flags, ranges

flags.disclaim_key_flags()  # A flag belongs to the module that asks for it.


class _Towers(flags.ArgumentParser):
    """Reads a number of towers or 'auto'."""

    syntactic_help = 'auto or a positive integer'

    def parse(self, argument: Any) -> str:
        """Returns the text, which it has checked."""
        ranges.check_towers(str(argument))
        return str(argument)


def draws() -> flags.FlagHolder:
    """Defines `--draws` and returns its holder."""
    return number_flags.integer('draws', 1, 'Draws per image, averaged: of the dequantization '
                                'noise, or of a VAE\'s latents.')


def towers() -> flags.FlagHolder:
    """Defines `--towers` and returns its holder."""
    return flags.DEFINE(
        _Towers(), 'towers', 'auto', 'Number of shares of a batch '
        'that are computed beside each other, each with one thread; auto: one for each core, if '
        'there is no GPU.', serializer=flags.ArgumentSerializer())


def importance_samples() -> flags.FlagHolder:
    """Defines `--importance_samples` and returns its holder."""
    return number_flags.integer(
        'importance_samples', None, 'Also evaluate a VAE by the importance-weighted bound of so '
        'many samples.')
