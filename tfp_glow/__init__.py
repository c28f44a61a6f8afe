"""Provides image flows for TensorFlow Probability, on Keras 3."""

from tfp_glow import (
    bijectors,
    coding,
    dequantization,
    distributions,
    editing,
    flows,
    networks,
    serving,
    vaes,
)
from tfp_glow.diagnosis import Diagnosis, diagnose
from tfp_glow.distributions import with_temperature
from tfp_glow.initialization import initialize, is_initialized, update_statistics
from tfp_glow.modes import with_training
from tfp_glow.training import FlowLayer, FlowModel

__version__ = '0.2.0'

__all__ = ['Diagnosis', 'FlowLayer', 'FlowModel', 'bijectors', 'coding', 'dequantization',
           'diagnose', 'distributions', 'editing', 'flows', 'initialize', 'is_initialized',
           'networks', 'serving', 'update_statistics', 'vaes', 'with_temperature', 'with_training']
