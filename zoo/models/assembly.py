"""Assembles a `FlowModel` or a `VAEModel` from the spec of a model and its hyper-parameters."""

import dataclasses
from typing import Any

import tfp_glow
from zoo.cli import errors
from zoo.models.options import Events
from zoo.models.recipe import Training
from zoo.models.spec import Kind, ModelSpec

Model = tfp_glow.FlowModel | tfp_glow.vaes.VAEModel


def assemble(spec: ModelSpec, config: Any, training: Training, events: Events,
             for_training: bool = True) -> Model:
    """Returns the model of data like `events`, with fresh weights, not compiled.

    Args:
        spec: What the zoo knows of the model.
        config: The hyper-parameters of the model.
        training: The hyper-parameters of its training.
        events: What the model is told of the data.
        for_training: Whether networks may compute in less than float32. Otherwise they compute in
            float32, so that the inverse is as exact as it can be.

    Raises:
        UsageError: If the data or a hyper-parameter does not suit the model.
        ValueError: If the builder refuses a hyper-parameter.
    """
    if not for_training and hasattr(config, 'network_dtype'):
        config = dataclasses.replace(config, network_dtype='float32')
    make = _vae_model if spec.kind is Kind.VAE else _flow_model
    return make(spec, config, training, events)


def is_conditional(config: Any) -> bool:
    """Returns whether a model with these hyper-parameters models images given their labels."""
    return getattr(config, 'conditional', False)


def _vae_model(spec: ModelSpec, config: Any, training: Training, events: Events) -> Model:
    if training.weight_prior or spec.objective is None:
        raise errors.UsageError(f'--weight_prior must be 0 for --model={spec.name}; '
                                f'got {training.weight_prior}.')
    vae = spec.build(config, events.event_shape, events.bins, training.seed)
    steps = (events.examples or 0) // training.batch_size
    return tfp_glow.vaes.VAEModel(vae, counted_dims=events.dims, seed=training.seed,
                                  **spec.objective(config, steps))


def _flow_model(spec: ModelSpec, config: Any, training: Training, events: Events) -> Model:
    options: dict[str, Any] = {}
    if is_conditional(config):
        if events.classes is None:
            raise errors.UsageError('--conditional needs data with labels; these have none.')
        options['classes'] = events.classes
    if spec.kind is Kind.INTEGER_FLOW:
        options['bins'] = events.bins
    flow = spec.build(config, events.event_shape, training.seed, **options)
    noise = spec.noise(config, events.event_shape, training.seed) if spec.noise else None
    classifier, weight = None, 0.
    if spec.classifier and is_conditional(config):
        classifier, weight = spec.classifier(config, flow, events.classes)
    return tfp_glow.FlowModel(
        flow, bins=events.bins, counted_dims=events.dims, seed=training.seed, noise=noise,
        classifier=classifier, classification_weight=weight,
        weight_prior=training.weight_prior or None, examples=events.examples)
