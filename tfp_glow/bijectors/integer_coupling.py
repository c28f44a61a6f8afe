"""Additive coupling on the integer grid: exactly invertible, for integer discrete flows."""

import tensorflow as tf

from tfp_glow.bijectors import affine, coupling, splits
from tfp_glow.bijectors.split import Split
from tfp_glow.bijectors.types import Network
from tfp_glow.types import TensorLike


class IntegerCoupling(coupling.CouplingBase):
    """Shifts part of an event by integers that the rest determines: `[..., H, W, C]`, the same.

    With y = [y1, y2] taken apart by `split`, by default three quarters of the channels in y1, and t
    = `round_to_grid(unit * conditioner(y1 / unit))`:

    ```none
    inverse(y) = [y1, y2 - t(y1)]        forward(x) = [x1, x2 + t(x1)]        log|det J| = 0
    ```

    It maps integers to integers, one to one. Integers that are held as floats add without error up
    to 2^24 in float32. So `forward` undoes `inverse` exactly, bit for bit, as long as the network
    gives the same numbers for the same input: in the same program, at the same batch shape. In the
    backward pass the gradient goes straight through the rounding, as if it were the identity.

    Args:
        conditioner: A built Keras network or any callable, `y1 / unit -> raw`: one output for each
            entry that moves, also in units of `unit`.
        unit: The number by which integers are divided before the network sees them, such as the
            number of grey levels.
        split: What conditions and what moves, from `splits`; by default
            `splits.channels(share=.75)`.
        event_ndims: The number of dimensions of the events: 3 for images, 1 for vectors `[..., D]`.
        validate_args: Whether to check values as well, also in graphs; see `OnePassBijector`.
        name: The name of the bijector.

    Raises:
        ValueError: If `unit` is not positive; otherwise see `Coupling`.

    #### References
    Hoogeboom, Peters, van den Berg and Welling, *Integer Discrete Flows and Lossless Compression*,
    2019, arXiv:1905.07376, equations 6 and 7.

    ```python
    >>> import tensorflow as tf
    >>> from tfp_glow import bijectors as tgb
    >>> integer = tgb.IntegerCoupling(lambda y1: .3 * y1, split=tgb.splits.channels())
    >>> integer.inverse(tf.constant([[[[5., 7.]]]])).numpy()
    array([[[[5., 5.]]]], dtype=float32)

    ```
    """

    def __init__(self, conditioner: Network, unit: float = 1., split: Split | None = None,
                 event_ndims: int = 3, validate_args: bool = False, name: str = 'integer_coupling',
                 ) -> None:
        parameters = dict(locals())
        if not unit > 0:
            raise ValueError(f'unit must be positive; got {unit=}.')
        self._unit = unit
        super().__init__(conditioner, _RoundedShift(unit), split or splits.channels(share=.75),
                         event_ndims, validate_args, parameters, name)

    @property
    def unit(self) -> float:
        """Returns the number that the integers are divided by for the network."""
        return self._unit

    def _seen(self, kept: tf.Tensor) -> tf.Tensor:
        return kept / self._unit


class _RoundedShift:
    """The inner transform `raw -> ShiftScale(-round(unit * raw))`."""

    outputs_per_channel = 1

    def __init__(self, unit: float) -> None:
        self._unit = unit

    def __call__(self, raw: tf.Tensor) -> affine.ShiftScale:
        return affine.ShiftScale(-round_to_grid(self._unit * raw))


def round_to_grid(x: TensorLike) -> tf.Tensor:
    """Returns the nearest integers, ties to the even one; the gradient is that of the identity.

    #### References
    Bengio, Léonard and Courville, *Estimating or Propagating Gradients Through Stochastic
    Neurons*, 2013, arXiv:1308.3432: the straight-through estimator.

    ```python
    >>> import tensorflow as tf, tfp_glow
    >>> x = tf.Variable([.4, 1.6, -2.5])
    >>> with tf.GradientTape() as tape:
    ...     y = tfp_glow.bijectors.round_to_grid(x)
    >>> y.numpy(), tape.gradient(y, x).numpy()
    (array([ 0.,  2., -2.], dtype=float32), array([1., 1., 1.], dtype=float32))

    ```
    """
    return tf.grad_pass_through(tf.round)(tf.convert_to_tensor(x))
