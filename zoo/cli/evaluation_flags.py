"""The flags that say how precisely a program evaluates a trained model."""

from absl import flags

from zoo.cli import number_flags

flags.disclaim_key_flags()  # A flag belongs to the module that asks for it.


def draws() -> flags.FlagHolder:
    """Defines `--draws` and returns its holder."""
    return number_flags.integer('draws', 1, 'Draws per image, averaged: of the dequantization '
                                'noise, or of a VAE\'s latents.')


def importance_samples() -> flags.FlagHolder:
    """Defines `--importance_samples` and returns its holder."""
    return number_flags.integer(
        'importance_samples', None, 'Also evaluate a VAE by the importance-weighted bound of so '
        'many samples.')
