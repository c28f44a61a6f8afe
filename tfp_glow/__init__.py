"""Image flows for TensorFlow Probability, on Keras 3."""

from tfp_glow import bijectors
from tfp_glow import dequantization
from tfp_glow import distributions
from tfp_glow import flows
from tfp_glow import networks
from tfp_glow import serving
from tfp_glow.distributions import with_temperature
from tfp_glow.initialization import initialize
from tfp_glow.initialization import is_initialized
from tfp_glow.training import FlowModel

__version__ = '0.1.0'

__all__ = ['FlowModel', 'bijectors', 'dequantization', 'distributions', 'flows', 'initialize',
           'is_initialized', 'networks', 'serving', 'with_temperature']
