"""Builders: hyper-parameters -> a plain `tfd.TransformedDistribution` with its variables."""

from tfp_glow.flows.building import transformed
from tfp_glow.flows.glow import glow
from tfp_glow.flows.real_nvp import real_nvp

__all__ = ['glow', 'real_nvp', 'transformed']
