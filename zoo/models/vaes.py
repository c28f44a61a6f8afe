"""What the VAEs of the zoo have in common: latents, posterior, prior, likelihood, objective."""

import dataclasses
import math

from zoo.cli import ranges
from zoo.models import options, recipe

_IAF = {'posterior': ('iaf',)}
_LEARNED_PRIOR = {'prior': ('maf', 'real_nvp', 'made')}
_SCALES = ('predicted', 'learned')


def _check_scale(text: str) -> None:
    try:
        number = 1. if text in _SCALES else float(text)
    except ValueError:
        number = 0.
    if not 0 < number < math.inf:
        raise ValueError('must be predicted, learned or a positive number')


@dataclasses.dataclass(frozen=True)
class Objective(recipe.Hyperparameters):
    """Hyper-parameters of the bound that is maximised; the defaults are the plain ELBO's."""

    free_bits: float = recipe.field(
        0., 'Nats of each channel of the latents that the loss does not charge for.')
    kl_warmup_epochs: float = recipe.field(
        0., 'Epochs over which the weight of the divergence from the prior rises from 0 to 1.')
    latent_draws: int = recipe.field(1, 'L: draws of the latents for each image of a step.')
    closed_form_kl: bool = recipe.field(
        False, 'Use the divergence of Gaussians itself in place of its estimate from the draws.')


@dataclasses.dataclass(frozen=True)
class Mixture(recipe.Hyperparameters):
    """Of mixtures of logistics, whatever gives their parameters."""

    components: int = recipe.field(5, 'Logistics in each mixture.')


@dataclasses.dataclass(frozen=True)
class Likelihood(Mixture):
    """Hyper-parameters of p(x|z) whose pixels are independent given z."""

    likelihood: str = recipe.field(
        '', 'Of pixels given latents. Nothing stands for bernoulli of binary images and mixture '
        'of others.', choices=('', 'bernoulli', 'normal', 'logistic', 'mixture'))
    likelihood_scale: str = recipe.field(
        'predicted', 'Of normal and logistic: predicted per pixel, learned for all, or a number, '
        'a share of the range of grey levels.', check=_check_scale,
        used_with={'likelihood': ('normal', 'logistic')})


@dataclasses.dataclass(frozen=True)
class Latents(Objective, Mixture):
    """Hyper-parameters of a VAE with one vector of latents."""

    latent_dims: int = recipe.field(32, 'Size of the vector of latents.')
    posterior: str = recipe.field('gaussian', 'Posterior of the latents.',
                                  choices=('gaussian', 'iaf'))
    iaf_steps: int = recipe.field(2, 'Steps of an IAF posterior.', used_with=_IAF)
    iaf_hidden: str = options.sizes_field('128', 'Units of their hidden layers, with commas.',
                                          used_with=_IAF)
    context_size: int = recipe.field(64, 'Numbers of the encoder that each of these steps sees.',
                                     used_with=_IAF)
    prior: str = recipe.field(
        'normal', 'Prior of the latents: normal, or a learned flow.',
        choices=('normal', 'maf', 'real_nvp', 'made'))
    prior_layers: int = recipe.field(2, 'Layers of a learned prior.', used_with=_LEARNED_PRIOR)
    prior_hidden: str = options.sizes_field('128', 'Units of their hidden layers, with commas.',
                                            used_with=_LEARNED_PRIOR)
    network_dtype: str = options.network_dtype_field()


@dataclasses.dataclass(frozen=True)
class Convolutions(recipe.Hyperparameters):
    """Hyper-parameters of convolutional networks between images and the vector of latents."""

    width: int = recipe.field(16, 'Channels of the first level; they double with each.')
    levels: int = recipe.field(2, 'How often the sides are halved.')
    blocks: int = recipe.field(1, 'Residual blocks of each level.', ranges.WHOLE)
    dense_units: int = recipe.field(256, 'Units of the dense layers between maps and latents.')


@dataclasses.dataclass(frozen=True)
class Config(Latents, Likelihood):
    """Hyper-parameters of a VAE with one vector of latents and pixels independent given it."""


def arguments(config: Config, bins: int, seed: int) -> dict:
    """Returns the arguments that the builders of `dense_vae` and `conv_vae` have in common."""
    return latents(config, bins, seed) | likelihood(config, bins)


def latents(config: Latents, bins: int, seed: int) -> dict:
    """Returns the arguments of all builders of VAEs with one vector of latents."""
    return {'bins': bins, 'latent_dims': config.latent_dims, 'posterior': config.posterior,
            'iaf_steps': config.iaf_steps, 'iaf_hidden': options.sizes(config.iaf_hidden),
            'context_size': config.context_size, 'prior': config.prior,
            'prior_layers': config.prior_layers,
            'prior_hidden': options.sizes(config.prior_hidden),
            'network_dtype': config.network_dtype, 'seed': seed}


def convolutions(config: Convolutions) -> dict:
    """Returns `Convolutions` as arguments of a builder."""
    return {'width': config.width, 'levels': config.levels, 'blocks': config.blocks,
            'hidden': config.dense_units}


def likelihood(config: Likelihood, bins: int) -> dict:
    """Returns the likelihood of images of `bins` grey levels as arguments of a builder."""
    kind = config.likelihood or ('bernoulli' if bins == 2 else 'mixture')
    own = {'normal': {'scale': _scale(config)}, 'logistic': {'scale': _scale(config)},
           'mixture': {'components': config.components}}.get(kind)
    return {'bins': bins, 'likelihood': kind, 'likelihood_options': own}


def objective(config: Objective, steps_per_epoch: int) -> dict:
    """Returns the arguments of `VAEModel` that an `Objective` stands for."""
    return {'free_bits': config.free_bits, 'samples': config.latent_draws,
            'closed_form': config.closed_form_kl,
            'kl_warmup_steps': math.ceil(config.kl_warmup_epochs * steps_per_epoch)}


def _scale(config: Likelihood) -> str | float:
    text = config.likelihood_scale
    return text if text in _SCALES else float(text)
