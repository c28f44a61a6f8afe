"""SavedModel bundles: a trained flow that answers where only TensorFlow is installed."""

from tfp_glow.serving.writing import export

__all__ = ['export']
