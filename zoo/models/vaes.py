"""Defines what the VAEs of the zoo have in common: latents, posterior, prior, likelihood, bound."""

import dataclasses
import math
from typing import Any

from zoo.cli import errors, ranges
from zoo.models import options, recipe

_IAF: recipe.UsedWith = {'posterior': ('iaf',)}
_SCALES = ('predicted', 'learned')


def _check_scale(text: str) -> None:
    try:
        number = 1. if text in _SCALES else float(text)
    except ValueError:
        number = 0.
    if not 0 < number < math.inf:
        raise ValueError('must be predicted, learned or a positive number')


def components_field(used_with: recipe.UsedWith | None = None) -> Any:
    """Returns the field of the size of the mixtures of logistics that are pixels' likelihoods."""
    return recipe.field(5, 'Number of logistics in the mixture of each pixel and colour.',
                        used_with=used_with)


def closed_form_field(used_with: recipe.UsedWith) -> Any:
    """Returns the field of how the divergence from the prior is computed."""
    return recipe.field(
        False, 'Compute the divergence of the posterior from the prior by its formula, which '
        'Gaussians have, in place of an estimate from the draws.', used_with=used_with)


@dataclasses.dataclass(frozen=True)
class Objective(recipe.Hyperparameters):
    """Hyper-parameters of the bound that is maximised; the defaults are the plain ELBO's."""

    free_bits: float = recipe.field(
        0., 'Divergence from the prior, in nats, that the loss does not charge for in each channel '
        'of the latents.')
    kl_warmup_epochs: float = recipe.field(
        0., 'Number of epochs over which the weight of the divergence rises from 0 to 1.',
        ranges.EPOCHS)
    latent_draws: int = recipe.field(
        1, 'Number of draws of the latents for each image in each step (L in the paper).')


@dataclasses.dataclass(frozen=True)
class Likelihood(recipe.Hyperparameters):
    """Hyper-parameters of p(x|z) whose pixels are independent given z."""

    likelihood: str = recipe.field(
        '', 'Distribution of a pixel given the latents. By default it is bernoulli for black and '
        'white images and mixture, a mixture of logistics, for others.',
        choices=('', 'bernoulli', 'normal', 'logistic', 'mixture'))
    likelihood_scale: str = recipe.field(
        'predicted', 'Scale of that distribution: predicted for each pixel, learned as one number '
        'for all, or a fixed number, as a share of the range of grey levels.', check=_check_scale,
        used_with={'likelihood': ('normal', 'logistic')})
    components: int = components_field({'likelihood': ('', 'mixture')})


@dataclasses.dataclass(frozen=True)
class Latents(Objective):
    """Hyper-parameters of a VAE with one vector of latents."""

    closed_form_kl: bool = closed_form_field({'posterior': ('gaussian',), 'prior': ('normal',)})
    latent_dims: int = recipe.field(32, 'Number of latents of an image, the size of the vector.')
    posterior: str = recipe.field(
        'gaussian', 'Distribution of the latents given an image: a Gaussian, or a Gaussian that '
        'steps of an IAF transform.', choices=('gaussian', 'iaf'))
    iaf_steps: int = recipe.field(2, 'Number of steps of the IAF.', used_with=_IAF)
    iaf_hidden: str = options.sizes_field(
        '128', 'Number of units of each hidden layer in the steps\' networks, with commas '
        'between.', used_with=_IAF)
    context_size: int = recipe.field(
        64, 'Number of outputs of the encoder that each step of the IAF sees.', used_with=_IAF)
    prior: str = recipe.field(
        'normal', 'Distribution of the latents of all images: a standard Normal or a learned flow.',
        choices=('normal', 'maf', 'real_nvp', 'made'))
    prior_layers: int = recipe.field(2, 'Number of layers of the learned prior.',
                                     used_with={'prior': ('maf', 'real_nvp')})
    prior_hidden: str = options.sizes_field(
        '128', 'Number of units of each hidden layer in the prior\'s networks, with commas '
        'between.', used_with={'prior': ('maf', 'real_nvp', 'made')})
    network_dtype: str = options.network_dtype_field()


@dataclasses.dataclass(frozen=True)
class Convolutions(recipe.Hyperparameters):
    """Hyper-parameters of convolutional networks between images and the vector of latents."""

    width: int = recipe.field(
        16, 'Number of channels of the first level; they double with each level.')
    levels: int = recipe.field(
        2, 'Number of levels, after each of which the sides of the feature maps are halved.',
        options.LEVELS)
    blocks: int = recipe.field(1, 'Number of residual blocks of each level.', ranges.WHOLE)
    dense_units: int = recipe.field(
        256, 'Number of units of the dense layers between feature maps and latents.')


@dataclasses.dataclass(frozen=True)
class Config(Latents, Likelihood):
    """Hyper-parameters of a VAE with one vector of latents and pixels independent given it."""


def arguments(config: Config, bins: int, seed: int) -> dict[str, Any]:
    """Returns the arguments that the builders of `dense_vae` and `conv_vae` have in common."""
    return latents(config, bins, seed) | likelihood(config, bins)


def latents(config: Latents, bins: int, seed: int) -> dict[str, Any]:
    """Returns the arguments of all builders of VAEs with one vector of latents.

    Raises:
        UsageError: If the prior needs more latents than there are.
    """
    if config.prior == 'real_nvp' and config.latent_dims < 2:
        raise errors.UsageError('--latent_dims must be at least 2 with --prior=real_nvp; '
                                f'got {config.latent_dims}.')
    return {'bins': bins, 'latent_dims': config.latent_dims, 'posterior': config.posterior,
            'iaf_steps': config.iaf_steps, 'iaf_hidden': options.sizes(config.iaf_hidden),
            'context_size': config.context_size, 'prior': config.prior,
            'prior_layers': config.prior_layers,
            'prior_hidden': options.sizes(config.prior_hidden),
            'network_dtype': options.precision(config.network_dtype), 'seed': seed}


def convolutions(config: Convolutions) -> dict[str, Any]:
    """Returns `Convolutions` as arguments of a builder."""
    return {'width': config.width, 'levels': config.levels, 'blocks': config.blocks,
            'hidden': config.dense_units}


def likelihood(config: Likelihood, bins: int) -> dict[str, Any]:
    """Returns the likelihood of images of `bins` grey levels as arguments of a builder."""
    kind = config.likelihood or ('bernoulli' if bins == 2 else 'mixture')
    own: dict[str, Any] | None = None
    if kind == 'mixture':
        own = {'components': config.components}
    elif kind in ('normal', 'logistic'):
        own = {'scale': _scale(config)}
    return {'bins': bins, 'likelihood': kind, 'likelihood_options': own}


def objective(config: Any, steps_per_epoch: int) -> dict[str, Any]:
    """Returns the bound of a VAE as arguments of `VAEModel`; `config` is that of the VAE."""
    return {'free_bits': config.free_bits, 'samples': config.latent_draws,
            'closed_form': config.closed_form_kl,
            'kl_warmup_steps': math.ceil(config.kl_warmup_epochs * steps_per_epoch)}


def _scale(config: Likelihood) -> str | float:
    text = config.likelihood_scale
    return text if text in _SCALES else float(text)
