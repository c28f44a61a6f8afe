"""Checks the contract of a bijector, of your own as of ours: `assert_bijector_contract`."""

import contextlib
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_glow.testing import answers, conditions, evaluations, layers, learning, state, tracing
from tfp_glow.testing.subject import Subject
from tfp_glow.types import Condition, DType, Shape

_BATCH = 6  # The checks also use it as [2, 3].


def assert_bijector_contract(
        bijector: tfb.Bijector | Callable[[tf.DType], tfb.Bijector], event_shape: Shape,
        dtype: DType | None = None, domain: Callable[[tf.Tensor], tf.Tensor] | None = None,
        jit_compile: bool = True, *, condition: Condition = None, saved_model: bool = True,
        tolerance: float | None = None) -> None:
    """Raises an `AssertionError` unless `bijector` keeps what TFP's users rely on.

    * `forward` inverts `inverse` and the reverse, past TFP's cache, in the dtype of the data;
    * both log-dets equal log|det| of the Jacobian by automatic differentiation;
    * where `log_slopes`, `singular_values` and `visit_parts` answer, see `OnePassBijector`, these
      are the slopes and the singular values of that Jacobian, and the parts make up the inverse;
    * event shapes are right, static and dynamic, with leading dimensions [], [6], [2, 3] and None;
    * eager mode, `tf.function` and XLA agree, and no variable is read that is not listed;
    * value and log-det come from one evaluation of each conditioner: nothing that holds a
      convolution, a matrix product or a loop is computed twice from the same data;
    * what `tf.saved_model.load` returns answers alike, and `tf.train.Checkpoint` restores;
    * after an assignment the answer on the same tensor is the new one, eager and traced;
    * the gradient of every trainable variable is there, finite, and not all zeros, in both
      directions, also when the same tensor was evaluated before the tape was opened;
    * `copy()`, with `validate_args=True` if there is such an argument, and `copy.deepcopy` answer
      alike, and a deep copy is independent (where Python can make one); an unknown keyword of
      `copy()`, `forward`, `inverse` or a log-det is refused;
    * given a condition: each row of the batch sees its own row, another condition gives another
      answer on the same tensor, the gradient of the condition is there, and a call without the
      condition is refused;
    * given a function of the dtype: float32 agrees with float64.

    Args:
        bijector: A `tfb.Bijector`, or a function `dtype -> bijector`. The function is called with
            `tf.float64` and `tf.float32`, and the checks that need digits are made in float64. The
            bijector has one tensor on the side of the data, and one or a list on that of the
            latents. Perturb variables that start at zero, or their gradients may be all zeros.
        event_shape: The shape of the data, the output of `forward`. Keep it tiny, since Jacobians
            are taken.
        dtype: The dtype of the data; the default is the bijector's, or else float32. float64 makes
            the test sharper.
        domain: A function that maps standard Normal tensors to valid data, elementwise; the default
            is the identity.
        jit_compile: Whether to compile with XLA as well.
        condition: A tensor or a structure of tensors, which every call gets as `condition=`. Axis 0
            is the batch; the rows are used in turn. There must be at least two, and unlike.
        saved_model: Whether to write a SavedModel as well; False for a bijector with parts in
            Python, such as `tf.py_function`.
        tolerance: The relative and absolute tolerance of all comparisons but those with float32;
            the default is 1e-8 in float64 and 2e-3 in float32. An inverse by iteration may need
            another.

    Raises:
        AssertionError: If a check failed; the message says which. An error that the bijector itself
            raises carries a note that says in which check it was raised.
        ValueError: If `condition` has fewer than two rows.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> from tfp_glow import testing
    >>> def make(dtype):
    ...     return tfp_glow.bijectors.DenseConv1x1(tf.Variable([[2., 1.], [0., 1.]], dtype=dtype))
    >>> testing.assert_bijector_contract(make, event_shape=[2, 1, 2], jit_compile=False)

    ```
    """
    make = None
    if not isinstance(bijector, tfb.Bijector):
        make, dtype = bijector, dtype or tf.float64
        bijector = make(dtype)
    subject = _subject(bijector, event_shape, dtype, domain, condition, tolerance)
    _check_answers(subject)
    with _saying('parts'):
        layers.check_parts(subject)
    with _saying('leading dimensions'):
        answers.check_batch_shapes(subject)
    with _saying('tf.function with a None batch'):
        traced = tracing.Traced(subject)
        tracing.check_values(subject, traced)
        tracing.check_variables(subject, traced)
        evaluations.check_once(subject, traced)
    if jit_compile:
        with _saying('XLA'):
            tracing.check_xla(subject, traced)
    with _saying('checkpoint'):
        state.check_checkpoint(subject)
    if saved_model:
        with _saying('SavedModel'):
            tracing.check_saved_model(subject, traced)
    if subject.variables:
        with _saying('assignment to variables'):
            state.check_assignment(subject)
        with _saying('gradients'):
            learning.check_gradients(subject)
    with _saying('copies'):
        state.check_copies(subject)
    with _saying('keywords'):
        conditions.check_keywords(subject)
    if condition is not None:
        with _saying('condition'):
            conditions.check_condition(subject)
    if make is not None:
        with _saying('float32'):
            answers.check_float32(subject, make(tf.float32))


def assert_invertible(
        bijector: tfb.Bijector, event_shape: Shape, dtype: DType | None = None,
        domain: Callable[[tf.Tensor], tf.Tensor] | None = None, *, condition: Condition = None,
        tolerance: float | None = None) -> None:
    """Makes the cheap checks of `assert_bijector_contract`: round trips, log-dets, event shapes.

    It works in eager mode, and is meant for drawing many shapes and parameters. Arguments and
    errors are those of `assert_bijector_contract`, except that `bijector` is not a function of the
    dtype.

    ```python
    >>> import tfp_glow
    >>> tfp_glow.testing.assert_invertible(tfp_glow.bijectors.Squeeze(2), event_shape=[4, 2, 1])

    ```
    """
    _check_answers(_subject(bijector, event_shape, dtype, domain, condition, tolerance))


def _subject(bijector: tfb.Bijector, event_shape: Shape, dtype: DType | None,
             domain: Callable[[tf.Tensor], tf.Tensor] | None, condition: Condition,
             tolerance: float | None) -> Subject:
    dtype = tf.as_dtype(dtype or bijector.dtype or tf.float32)
    noise = np.random.default_rng(0).standard_normal([_BATCH, *event_shape])
    y = tf.constant(noise, dtype)
    condition = conditions.rows_in_turn(condition, _BATCH)
    with _saying('inverse of data'):
        return Subject(bijector, y if domain is None else domain(y), condition, tolerance)


def _check_answers(subject: Subject) -> None:
    with _saying('round trip'):
        answers.check_round_trip(subject)
    with _saying('log-det'):
        answers.check_log_dets(subject)
    with _saying('event shapes'):
        answers.check_event_shapes(subject)


@contextlib.contextmanager
def _saying(what: str) -> Iterator[None]:
    """Adds a note to an error that says in which check it was raised."""
    try:
        yield
    except Exception as error:
        error.add_note(f'In the contract of bijectors: {what}.')
        raise
