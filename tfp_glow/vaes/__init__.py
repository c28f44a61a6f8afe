"""Provides variational autoencoders of integer images; posteriors and priors may be flows."""

from tfp_glow.vaes import likelihoods
from tfp_glow.vaes.bounds import elbo, free_bits, importance_bound
from tfp_glow.vaes.flows import iaf_posterior, learned_prior
from tfp_glow.vaes.gaussian import VAE
from tfp_glow.vaes.ladder import ladder_vae
from tfp_glow.vaes.ladder_model import LadderLayer, LadderVAE
from tfp_glow.vaes.latent_model import Inference, LatentModel, centred
from tfp_glow.vaes.pixel import PixelCNN, PixelVAE, pixel_vae
from tfp_glow.vaes.vae_model import VAEModel
from tfp_glow.vaes.vectors import conv_vae, dense_vae

__all__ = ['VAE', 'Inference', 'LadderLayer', 'LadderVAE', 'LatentModel', 'PixelCNN', 'PixelVAE',
           'VAEModel', 'centred', 'conv_vae', 'dense_vae', 'elbo', 'free_bits', 'iaf_posterior',
           'importance_bound', 'ladder_vae', 'learned_prior', 'likelihoods', 'pixel_vae']
