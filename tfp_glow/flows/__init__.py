"""Builds flows from hyper-parameters: a `tfd.TransformedDistribution` or an `IntegerFlow`."""

from tfp_glow.flows.autoregressive import iaf, made, maf
from tfp_glow.flows.building import transformed
from tfp_glow.flows.class_finder import ClassFinder
from tfp_glow.flows.flow_pp import flow_pp, flow_pp_noise
from tfp_glow.flows.glow import glow
from tfp_glow.flows.idf import idf
from tfp_glow.flows.integer_flow import IntegerFlow
from tfp_glow.flows.nice import nice
from tfp_glow.flows.real_nvp import real_nvp

__all__ = ['ClassFinder', 'IntegerFlow', 'flow_pp', 'flow_pp_noise', 'glow', 'iaf', 'idf', 'made',
           'maf', 'nice', 'real_nvp', 'transformed']
