"""YCoCg-R: maps RGB to luma and two chroma channels, on the integer grid."""

import tensorflow as tf

from tfp_glow.bijectors import chain, integer_coupling, permutation, splits
from tfp_glow.types import DType

# Lifting steps: the order of the channels, and what of the second one the last one loses.
_STEPS = (((1, 2, 0), 1.),  # G, B, R:  Co = R - B
          ((0, 2, 1), -.5),  # G, Co, B:  t = B + Co / 2
          ((1, 2, 0), 1.),  # Co, t, G:  Cg = G - t
          ((0, 2, 1), -.5))  # Co, Cg, t:  Y = t + Cg / 2
_ORDER = (2, 0, 1)  # The order of Y, Co and Cg.


def reversible_colour(dtype: DType = tf.float32, name: str = 'reversible_colour') -> chain.Chain:
    """Returns the lossless colour transform YCoCg-R of images `[..., H, W, 3]`.

    It is a chain of liftings.

    ```none
    inverse([R, G, B]) = [Y, Co, Cg]        forward([Y, Co, Cg]) = [R, G, B]        log|det J| = 0
    Co = R - B;   t = B + round(Co / 2);   Cg = G - t;   Y = t + round(Cg / 2)
    ```

    Integers go to integers, one to one; grey pixels have no chroma. Halves are rounded to the even
    integer, while the reference rounds down. Gradients go straight through the rounding.

    Args:
        dtype: The dtype of the images.
        name: The name of the bijector.

    Returns:
        A `Chain` of `Shuffle`s and `IntegerCoupling`s.

    #### References
    Malvar and Sullivan, *YCoCg-R: A Color Space with RGB Reversibility and Low Dynamic Range*,
    JVT-I014r3, 2003.

    ```python
    >>> import tensorflow as tf
    >>> from tfp_glow import bijectors as tgb
    >>> tgb.reversible_colour().inverse(tf.constant([[[[200., 100., 50.]]]])).numpy()
    array([[[[113., 150., -25.]]]], dtype=float32)

    ```
    """
    parts = []
    for order, factor in _STEPS:
        parts.append(permutation.Shuffle(order, dtype))
        parts.append(integer_coupling.IntegerCoupling(
            lambda kept, factor=factor: factor * kept[..., 1:], split=splits.channels()))
    return chain.Chain([*parts, permutation.Shuffle(_ORDER, dtype)], name=name)
