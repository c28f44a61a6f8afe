"""Defines Keras models that train what has a likelihood.

They have `compile`, `fit`, `evaluate` and averaged weights.
"""

from tfp_glow.training.flow_layer import FlowLayer
from tfp_glow.training.flow_model import FlowModel
from tfp_glow.training.likelihood_model import LikelihoodModel
from tfp_glow.training.stepping import Stepping

__all__ = ['FlowLayer', 'FlowModel', 'LikelihoodModel', 'Stepping']
