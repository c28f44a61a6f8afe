"""SavedModel bundles, by which a trained flow or VAE answers where only TensorFlow is installed."""

from tfp_glow.serving.writing import export, serve

__all__ = ['export', 'serve']
