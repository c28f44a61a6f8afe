"""What the VAEs of the zoo have in common: latents, posterior, prior, likelihood, objective."""

import dataclasses
import math

from zoo.cli import errors
from zoo.models import recipe
from zoo.models.options import sizes


@dataclasses.dataclass(frozen=True)
class Objective:
    """Hyper-parameters of the bound that is maximised; the defaults are the plain ELBO's."""

    free_bits: float = recipe.field(
        0., 'Nats of each channel of the latents that the loss does not charge for.')
    kl_warmup_epochs: float = recipe.field(
        0., 'Epochs over which the weight of the divergence from the prior rises from 0 to 1.')
    latent_draws: int = recipe.field(1, 'L: draws of the latents for each image of a step.')
    closed_form_kl: bool = recipe.field(
        False, 'Use the divergence of Gaussians itself in place of its estimate from the draws.')


@dataclasses.dataclass(frozen=True)
class Mixture:
    """Of mixtures of logistics, whatever gives their parameters."""

    components: int = recipe.field(5, 'Logistics in each mixture.')


@dataclasses.dataclass(frozen=True)
class Likelihood(Mixture):
    """Hyper-parameters of p(x|z) whose pixels are independent given z."""

    likelihood: str = recipe.field(
        '', 'Of pixels given latents: bernoulli, normal, logistic or mixture. None for bernoulli '
        'of binary images, mixture of others.')
    likelihood_scale: str = recipe.field(
        'predicted', 'Of normal and logistic: predicted per pixel, learned for all, or a number, '
        'a share of the range of grey levels.')


@dataclasses.dataclass(frozen=True)
class Latents(Objective, Mixture):
    """Hyper-parameters of a VAE with one vector of latents."""

    latent_dims: int = recipe.field(32, 'Size of the vector of latents.')
    posterior: str = recipe.field('gaussian', 'Posterior of the latents: gaussian or iaf.')
    iaf_steps: int = recipe.field(2, 'Steps of an IAF posterior.')
    iaf_hidden: str = recipe.field('128', 'Units of their hidden layers, with commas.')
    context_size: int = recipe.field(64, 'Numbers of the encoder that each of these steps sees.')
    prior: str = recipe.field(
        'normal', 'Prior of the latents: normal, or learned by maf, real_nvp or made.')
    prior_layers: int = recipe.field(2, 'Layers of a learned prior.')
    prior_hidden: str = recipe.field('128', 'Units of their hidden layers, with commas.')
    network_dtype: str = recipe.field(
        'float32', 'Keras dtype policy of the networks; mixed_bfloat16 computes in bfloat16.')


@dataclasses.dataclass(frozen=True)
class Convolutions:
    """Hyper-parameters of convolutional networks between images and the vector of latents."""

    width: int = recipe.field(16, 'Channels of the first level; they double with each.')
    levels: int = recipe.field(2, 'How often the sides are halved.')
    blocks: int = recipe.field(1, 'Residual blocks of each level.')
    dense_units: int = recipe.field(256, 'Units of the dense layers between maps and latents.')


@dataclasses.dataclass(frozen=True)
class Config(Latents, Likelihood):
    """Hyper-parameters of a VAE with one vector of latents and pixels independent given it."""


def options(config, bins, seed):
    """What `dense_vae` and `conv_vae` have in common, as arguments of their builders."""
    return latents(config, bins, seed) | likelihood(config, bins)


def latents(config, bins, seed):
    """What all builders of VAEs with one vector of latents have in common, as arguments."""
    return {'bins': bins, 'latent_dims': config.latent_dims, 'posterior': config.posterior,
            'iaf_steps': config.iaf_steps, 'iaf_hidden': sizes('iaf_hidden', config.iaf_hidden),
            'context_size': config.context_size, 'prior': config.prior,
            'prior_layers': config.prior_layers,
            'prior_hidden': sizes('prior_hidden', config.prior_hidden),
            'network_dtype': config.network_dtype, 'seed': seed}


def convolutions(config):
    """`Convolutions` as arguments of a builder."""
    return {'width': config.width, 'levels': config.levels, 'blocks': config.blocks,
            'hidden': config.dense_units}


def likelihood(config, bins):
    """The likelihood of images of `bins` grey levels, as arguments of a builder."""
    kind = config.likelihood or ('bernoulli' if bins == 2 else 'mixture')
    own = {'normal': {'scale': _scale(config)}, 'logistic': {'scale': _scale(config)},
           'mixture': {'components': config.components}}.get(kind)
    return {'bins': bins, 'likelihood': kind, 'likelihood_options': own}


def objective(config, steps_per_epoch):
    """The arguments of `VAEModel` that an `Objective` is.

    Raises:
      UsageError: one is out of its range; the message names its flag.
    """
    for name, least in (('free_bits', 0), ('kl_warmup_epochs', 0), ('latent_draws', 1)):
        if not least <= getattr(config, name) < math.inf:
            raise errors.UsageError(f'--{name} must be at least {least}; '
                                    f'got {getattr(config, name)}.')
    return {'free_bits': config.free_bits, 'samples': config.latent_draws,
            'closed_form': config.closed_form_kl,
            'kl_warmup_steps': math.ceil(config.kl_warmup_epochs * steps_per_epoch)}


def _scale(config):
    text = config.likelihood_scale
    if text in ('predicted', 'learned'):
        return text
    try:
        number = float(text)
    except ValueError:
        number = 0.
    if not 0 < number < math.inf:
        raise errors.UsageError('--likelihood_scale must be predicted, learned or a positive '
                                f'number; got {text!r}.')
    return number
