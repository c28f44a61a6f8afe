"""Says why the steps of `fit` were not finite: names the data, the layer or the gradient."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_glow.training import weighting
from tfp_glow.types import Condition, Seed, TensorLike


def reason(objective: Any, batches: Iterable[Any], seed: Seed, step: int) -> str:
    """Returns a clause about the first batch whose loss or gradients are not finite.

    Args:
        objective: What is trained, see `LikelihoodModel`.
        batches: The batches, as `fit` has them.
        seed: Two integers, those of the step that failed.
        step: The number of the step.
    """
    for index, batch in enumerate(batches):
        images, condition, weights = weighting.take_apart(
            batch, objective.conditional, objective.module_name)
        wrong = _wrong_data(images, condition, weights)
        if wrong is None:
            images, condition, counts = weighting.weigh(images, condition, weights)
            wrong = _wrong_values(objective, images, condition, counts, seed, step)
        if wrong is not None:
            return f'in batch {index} of x, {wrong}'
    return ('no batch of x that could be read again has such a loss now; a likely cause is a '
            'learning rate that is too high')


def _wrong_data(images: TensorLike, condition: Condition,
                weights: TensorLike | None) -> str | None:
    if weights is not None:
        weights = np.asarray(weights).reshape(-1)
        if not np.all((weights >= 0) & np.isfinite(weights)):
            return 'weights of examples are negative or not finite'
    for name, structure in (('x', images), ('the condition', condition)):
        for part in tf.nest.flatten(structure) if structure is not None else ():
            rows = np.asarray(part)
            if weights is not None and len(weights) == len(rows):
                rows = rows[weights > 0]
            if np.issubdtype(rows.dtype, np.floating) and not np.all(np.isfinite(rows)):
                wrong = np.sum(~np.isfinite(rows))
                return f'{wrong} of {rows.size} values of {name} are NaN or infinite'
    return None


def _wrong_values(objective: Any, images: tf.Tensor, condition: Condition,
                  weights: weighting.Weights, seed: Seed, step: int) -> str | None:
    layer = objective.first_not_finite(images, seed, condition)
    if layer is not None:
        return f'the first values that are not finite are those of {layer}'
    variables = objective.trainable_variables
    with tf.GradientTape() as tape:
        loss = objective.metrics(images, seed, condition, step=step, weights=weights)['loss']
    gradients = tape.gradient(loss, variables, unconnected_gradients='zero')
    names = [v.name.split(':')[0] for v, gradient in zip(variables, gradients)
             if not np.all(np.isfinite(tf.convert_to_tensor(gradient)))]
    if names:
        return (f'the gradients of {len(names)} of {len(variables)} variables are not finite, '
                f'among them that of {names[0]}')
    return None if np.isfinite(loss) else 'the loss is not finite'
