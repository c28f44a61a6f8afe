"""Variational autoencoders of integer images, whose posteriors and priors may be flows."""

from tfp_glow.vaes.latent_model import Inference, LatentModel, centred

__all__ = ['Inference', 'LatentModel', 'centred']
