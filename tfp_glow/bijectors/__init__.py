"""TFP bijectors for image flows; `forward` goes from latent to data."""

from tfp_glow.bijectors import scale_maps
from tfp_glow.bijectors.act_norm import ActNorm
from tfp_glow.bijectors.affine import Additive, AffineInner, ShiftScale
from tfp_glow.bijectors.base import OnePassBijector
from tfp_glow.bijectors.chain import Chain
from tfp_glow.bijectors.conditioned import Conditioned
from tfp_glow.bijectors.coupling import Coupling
from tfp_glow.bijectors.invertible_conv import (
    DenseConv1x1,
    InvertibleConv1x1,
    plu_parameters,
    rotation,
)
from tfp_glow.bijectors.multi_scale import MultiScale
from tfp_glow.bijectors.permutation import Reverse, Shuffle, random_permutation
from tfp_glow.bijectors.repeat import Repeat
from tfp_glow.bijectors.reversible import Reversible
from tfp_glow.bijectors.squeeze import Squeeze

__all__ = [
    'ActNorm', 'Additive', 'AffineInner', 'Chain', 'Conditioned', 'Coupling', 'DenseConv1x1',
    'InvertibleConv1x1', 'MultiScale', 'OnePassBijector', 'Repeat', 'Reverse', 'Reversible',
    'ShiftScale', 'Shuffle', 'Squeeze',
    'plu_parameters', 'random_permutation', 'rotation', 'scale_maps',
]
