"""Builders: hyper-parameters -> a plain `tfd.TransformedDistribution` with its variables."""

from tfp_glow.flows.building import transformed
from tfp_glow.flows.flow_pp import flow_pp, flow_pp_noise
from tfp_glow.flows.glow import glow

__all__ = ['flow_pp', 'flow_pp_noise', 'glow', 'transformed']
