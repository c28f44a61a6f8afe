"""Checks the mathematics in eager mode: round trips, log-dets, shapes, precision."""

import math
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_glow.testing import layers
from tfp_glow.testing.subject import (
    Evaluation,
    Subject,
    assign,
    check,
    map_condition,
    uncached,
)
from tfp_glow.types import Condition


def check_round_trip(subject: Subject) -> None:
    """Checks that each direction inverts the other, that the log-dets are opposite, and the dtype.

    Values and log-dets must keep the dtype of the data.
    """
    forward = subject.forward(uncached(subject.x))
    for name, pair in (('inverse', (subject.x, subject.ildj)), ('forward', forward)):
        dtypes = {z.dtype.name for z in tf.nest.flatten(pair)}
        check(dtypes == {subject.y.dtype.name},
              f'{name} and its log-det must keep dtype {subject.y.dtype.name}; '
              f'got {sorted(dtypes)}.')
    subject.close('forward(inverse(y)) must be y.', forward[0], subject.y)
    subject.close('the two log-dets must be opposite.', -forward[1], subject.ildj)
    subject.close('inverse(forward(x)) must be x.', subject.inverse(uncached(forward[0]))[0],
                  subject.x)


def check_log_dets(subject: Subject) -> None:
    """Checks both log-dets, and the slopes, if any, by the Jacobian at the first row."""
    for (name, function, value), log_det in zip(
            subject.directions(), (subject.ildj, -subject.ildj), strict=True):
        jacobian = _jacobian(function, value, subject.condition)
        expected = np.linalg.slogdet(jacobian)[1]
        subject.close(f'the {name} log-det must be that of the Jacobian.', log_det[0], expected)
        if name == 'inverse':
            layers.check_slopes(subject, jacobian)


def check_event_shapes(subject: Subject) -> None:
    """Checks that the four event-shape methods say what shapes the tensors have."""
    bijector, pair = subject.bijector, (subject.x, subject.y)
    shapes = tf.nest.map_structure(lambda z: z.shape[1:], pair)
    sizes = tf.nest.map_structure(lambda z: tf.shape(z)[1:], pair)
    for name, here, there in (('forward', 0, 1), ('inverse', 1, 0)):
        answer = getattr(bijector, f'{name}_event_shape')(shapes[here])
        check(answer == shapes[there], f'{name}_event_shape must be {shapes[there]}; got {answer}.')
        answer = getattr(bijector, f'{name}_event_shape_tensor')(sizes[here])
        subject.close(f'{name}_event_shape_tensor', answer, sizes[there])


def check_batch_shapes(subject: Subject) -> None:
    """Checks one event alone, and two batch dimensions, of which a condition has the inner one."""
    batches: tuple[list[int], ...] = ([], [2, 3])
    for batch in batches:
        count, inner = math.prod(batch), batch[-1] if batch else 1
        condition = map_condition(lambda c, n=inner: c[:n], subject.condition)
        x, ildj = subject.x, subject.ildj
        if condition is not None:
            rows = tf.range(count) % inner
            x, ildj = subject.inverse(subject.y[:count], map_condition(
                lambda c, rows=rows: tf.gather(c, rows), condition))

        def shaped(z, batch=batch, count=count):
            return tf.reshape(z[:count], [*batch, *z.shape[1:]])
        y, x, ildj = tf.nest.map_structure(shaped, (subject.y, x, ildj))
        subject.close(f'inverse with leading dimensions {batch}',
                      subject.inverse(y, condition), (x, ildj))
        subject.close(f'forward with leading dimensions {batch}',
                      subject.forward(uncached(x), condition), (y, -ildj))


def check_float32(subject: Subject, bijector: tfb.Bijector) -> None:
    """Checks that `bijector`, given the subject's parameters, answers in float32 as it does."""
    variables = subject.bijector.variables
    check(len(bijector.variables) == len(variables),
          f'the bijector in float32 must have {len(variables)} variables, as in '
          f'{subject.y.dtype.name}; got {len(bijector.variables)}.')
    assign(bijector.variables,
           [tf.cast(v, own.dtype) for own, v in zip(bijector.variables, variables, strict=True)])
    single = Subject(bijector, _in_float32(subject.y),
                     map_condition(_in_float32, subject.condition))
    check_round_trip(single)
    single.close('the inverse in float32 must be that in float64.',
                 (single.x, single.ildj), (subject.x, subject.ildj))


def _in_float32(tensor: tf.Tensor) -> tf.Tensor:
    return tf.cast(tensor, tf.float32) if tensor.dtype.is_floating else tensor


def _jacobian(function: Evaluation, value: Any, condition: Condition) -> np.ndarray:
    """Returns the Jacobian `[n, n]` at the first row of `value`, from a batch of n equal rows."""
    size = sum(math.prod(part.shape[1:]) for part in tf.nest.flatten(value))
    value = tf.nest.map_structure(lambda z: tf.repeat(z[:1], size, 0), value)
    condition = map_condition(lambda c: tf.repeat(c[:1], size, 0), condition)
    with tf.GradientTape() as tape:
        tape.watch(value)
        output = _rows(function(value, condition)[0])
        diagonal = tf.reduce_sum(tf.linalg.diag_part(output))  # This takes output i of row i.
    return _rows(tape.gradient(diagonal, value, unconnected_gradients='zero')).numpy()


def _rows(structure: Any) -> tf.Tensor:
    return tf.concat([tf.reshape(z, [z.shape[0], -1]) for z in tf.nest.flatten(structure)], 1)
