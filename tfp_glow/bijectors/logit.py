"""Logit: maps data in [0, 1] to the real line, kept off the ends."""

import math

import tensorflow as tf

from tfp_glow.bijectors import base, checks


class Logit(base.OnePassBijector):
    """Maps data in [0, 1] to logits, elementwise: any shape to the same.

    ```none
    inverse(y) = log(p / (1 - p)),    p = alpha + (1 - 2 alpha) y
    forward(x) = (sigmoid(x) - alpha) / (1 - 2 alpha)
    log|d inverse / dy| = log(1 - 2 alpha) - log(p) - log(1 - p)
    ```

    With `alpha=.05` this is RealNVP's code, logit(.05 + .9 y). The paper's text prints alpha + (1 -
    alpha) y, which leaves y = 1 at infinity. 1 - p is computed from 1 - y, so that float32 keeps
    its digits near both ends, also with alpha = 0. The range of `forward` is (-a, 1 + a) with a =
    alpha / (1 - 2 alpha), a little more than [0, 1]: clip what is shown.

    Args:
        alpha: A number in [0, 1/2); with 0, y must be in (0, 1).
        validate_args: Whether to check values as well, also in graphs; see `OnePassBijector`.
        name: The name of the bijector.

    See also: `tfb.Sigmoid`, which `Logit(0.)` equals.

    Raises:
        ValueError: If `alpha` is not in [0, 1/2).
        tf.errors.InvalidArgumentError: If `validate_args` is set and y is not in (-a, 1 + a).

    #### References
    Dinh, Sohl-Dickstein and Bengio, *RealNVP*, 2017, arXiv:1605.08803, section 4.1.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> logit = tfp_glow.bijectors.Logit(alpha=.05)
    >>> logit.inverse(tf.constant([0., .5, 1.])).numpy().round(3)
    array([-2.944,  0.   ,  2.944], dtype=float32)

    ```
    """

    def __init__(self, alpha: float = .05, validate_args: bool = False, name: str = 'logit',
                 ) -> None:
        parameters = dict(locals())
        if not 0 <= alpha < .5:
            raise ValueError(f'alpha must be in [0, 1/2); got {alpha=}.')
        self._alpha = alpha
        super().__init__(forward_min_event_ndims=0, validate_args=validate_args,
                         parameters=parameters, name=name)

    def _input_rule(self, name: str, value: tf.Tensor) -> checks.Rule:
        if name == 'x':
            return super()._input_rule(name, value)
        alpha, slope = self._alpha, 1 - 2 * self._alpha
        beyond = alpha / slope
        return checks.Rule(name, value, f'be in ({0 - beyond:.4g}, {1 + beyond:.4g})',
                           lambda y: (alpha + slope * y > 0) & (alpha + slope * (1 - y) > 0))

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        alpha, slope = self._alpha, 1 - 2 * self._alpha
        return ((tf.sigmoid(x) - alpha) / slope,
                tf.math.log_sigmoid(x) + tf.math.log_sigmoid(-x) - math.log(slope))

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        alpha, slope = self._alpha, 1 - 2 * self._alpha
        log_p = tf.math.log(alpha + slope * y)
        log_q = tf.math.log(alpha + slope * (1 - y))
        return log_p - log_q, math.log(slope) - log_p - log_q
