"""Checks what variables hold: assignments are seen, checkpoints and copies keep the values."""

import copy
import os
import tempfile

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_glow.testing.subject import Subject, assign, check, uncached


def check_assignment(subject: Subject) -> None:
    """Checks that new values of the variables give new answers, also on tensors seen before."""
    old = [v.numpy() for v in subject.variables]
    other = [.9 * value + .05 for value in old]

    @tf.function
    def assign_between(y):
        subject.inverse(y)
        assign(subject.variables, other)
        between = subject.inverse(y)
        assign(subject.variables, old)
        return between

    assign(subject.variables, other)
    new, same = subject.inverse(uncached(subject.y)), subject.inverse(subject.y)
    forward, same_forward = subject.forward(uncached(subject.x)), subject.forward(subject.x)
    assign(subject.variables, old)
    subject.close('inverse of the same tensor after an assignment must be the new one.', same, new)
    subject.close('forward of the same tensor after an assignment must be the new one.',
                  same_forward, forward)
    check(subject.is_new(new), 'assigning to the variables changes nothing; were they read when '
                               'the bijector was made?')
    subject.close('inverse after an assignment in one tf.function', assign_between(subject.y), new)


def check_checkpoint(subject: Subject) -> None:
    """Checks that a checkpoint brings back every variable, and with them the answers."""
    variables = [v for v in subject.bijector.variables if v.dtype.is_floating]
    old = [v.numpy() for v in variables]
    with tempfile.TemporaryDirectory() as folder:
        path = tf.train.Checkpoint(b=subject.bijector).write(os.path.join(folder, 'checkpoint'))
        assign(variables, [value + 1 for value in old])
        tf.train.Checkpoint(b=subject.bijector).read(path).assert_consumed()
    lost = [v.name for v, value in zip(variables, old, strict=True) if np.any(v.numpy() != value)]
    assign(variables, old)
    check(not lost, f'a checkpoint must restore every variable; lost: {lost}.')
    subject.close('a restored checkpoint', subject.inverse(subject.y), (subject.x, subject.ildj))


def check_copies(subject: Subject) -> None:
    """Checks that `copy()` and `copy.deepcopy` answer alike.

    The deep copy must have variables of its own.
    """
    bijector, expected = subject.bijector, (subject.x, subject.ildj)
    check(bijector.parameters is not None,
          'copy() needs the constructor to pass parameters=dict(locals()) on.')
    # A copy that checks its values answers like one that does not.
    options = {'validate_args': True} if 'validate_args' in bijector.parameters else {}
    subject.close('copy()', _answer(subject, bijector.copy(**options)), expected)
    try:
        twin = copy.deepcopy(bijector)
    except TypeError:  # tfb.Invert, for one, forbids it.
        return
    subject.close('deepcopy', _answer(subject, twin), expected)
    old = [v.numpy() for v in subject.variables]
    assign(twin.trainable_variables, [v + 1 for v in twin.trainable_variables])
    answer = subject.inverse(subject.y)
    assign(subject.variables, old)
    subject.close('the original of a changed deepcopy', answer, expected)


def _answer(subject: Subject, bijector: tfb.Bijector) -> tuple[tf.Tensor, tf.Tensor]:
    other = Subject(bijector, uncached(subject.y), subject.condition)
    return other.x, other.ildj
