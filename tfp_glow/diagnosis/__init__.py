"""Says what is wrong with a flow: a table of its layers, and warnings where a figure is bad."""

from tfp_glow.diagnosis.diagnosing import diagnose
from tfp_glow.diagnosis.finiteness import first_not_finite
from tfp_glow.diagnosis.report import Diagnosis, Layer, Level

__all__ = ['Diagnosis', 'Layer', 'Level', 'diagnose', 'first_not_finite']
