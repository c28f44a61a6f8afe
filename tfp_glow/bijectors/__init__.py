"""TFP bijectors for image flows; `forward` goes from latent to data."""

from tfp_glow.bijectors import scale_maps, splits
from tfp_glow.bijectors.act_norm import ActNorm
from tfp_glow.bijectors.affine import Additive, AffineInner, Multiplicative, ShiftScale
from tfp_glow.bijectors.autoregressive import InverseAutoregressive, MaskedAutoregressive
from tfp_glow.bijectors.base import OnePassBijector
from tfp_glow.bijectors.batch_norm import BatchNorm
from tfp_glow.bijectors.chain import Chain
from tfp_glow.bijectors.conditioned import Conditioned
from tfp_glow.bijectors.coupling import Coupling
from tfp_glow.bijectors.flattened import Flattened
from tfp_glow.bijectors.integer_coupling import IntegerCoupling, round_to_grid
from tfp_glow.bijectors.invertible_conv import (
    DenseConv1x1,
    InvertibleConv1x1,
    plu_parameters,
    rotation,
)
from tfp_glow.bijectors.logit import Logit
from tfp_glow.bijectors.mixture_cdf import MixtureCDFInner, MixtureLogisticCDF
from tfp_glow.bijectors.multi_scale import MultiScale
from tfp_glow.bijectors.permutation import Reverse, Shuffle, random_permutation
from tfp_glow.bijectors.repeat import Repeat
from tfp_glow.bijectors.reversible import Reversible
from tfp_glow.bijectors.reversible_colour import reversible_colour
from tfp_glow.bijectors.spline import Spline, SplineInner
from tfp_glow.bijectors.squeeze import Squeeze
from tfp_glow.bijectors.whitening import Whitening, fit_whitening

__all__ = [
    'ActNorm', 'Additive', 'AffineInner', 'BatchNorm', 'Chain', 'Conditioned', 'Coupling',
    'DenseConv1x1', 'Flattened', 'IntegerCoupling', 'InverseAutoregressive',
    'InvertibleConv1x1', 'Logit',
    'MaskedAutoregressive', 'MixtureCDFInner', 'MixtureLogisticCDF', 'MultiScale',
    'Multiplicative', 'OnePassBijector', 'Repeat', 'Reverse', 'Reversible', 'ShiftScale',
    'Shuffle', 'Spline', 'SplineInner', 'Squeeze', 'Whitening', 'fit_whitening',
    'plu_parameters', 'random_permutation', 'reversible_colour', 'rotation', 'round_to_grid',
    'scale_maps', 'splits',
]
