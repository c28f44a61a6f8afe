"""What a bijector tells of itself as a layer of a flow: its slopes, its matrix, its parts."""

import collections
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_glow.bijectors import conditions, folding
from tfp_glow.internal import tfp_compat
from tfp_glow.types import Condition, TensorLike

# `(name, part, value) -> latents`, see `Introspection.visit_parts`.
Visit = Callable[[str, tfb.Bijector, Any], Any]


class Introspection(tfb.Bijector):
    """The questions that `diagnose` and `initialize` ask of each bijector of a flow.

    `OnePassBijector` inherits them with answers that hold for any bijector; a bijector of your own
    overrides those for which it knows better. A `tfb.Bijector` that is no `OnePassBijector` may
    have methods of these names too, and is asked in the same way.

    * `_log_slopes(y)`, the answer of `log_slopes`: by default known of elementwise bijectors alone;
    * `singular_values()`: by default None;
    * `visit_parts(y, visit)`: by default None, for a bijector that has no parts;
    * `_initialize(y)`, see `OnePassBijector`: by default initialises the parts.
    """

    def log_slopes(self, y: TensorLike, condition: Condition = None) -> tf.Tensor | None:
        """Returns log|dx_i / dy_i| of each entry that moves, x = inverse(y), the others held fixed.

        These are the logarithms of the Jacobian's diagonal, without the entries that every y keeps.
        A subclass overrides `_log_slopes(y)`, or `_log_slopes(y, condition)` if it takes a
        condition; that method sees one batch dimension, `[B, *event_shape]`, and returns
        `[B, ...]`, or None.

        Args:
            y: Data, `[..., *event_shape]`.
            condition: The condition of the data, if the bijector takes one.

        Returns:
            `[..., n]` or `[..., n_1, n_2, ...]` with one number for each entry that moves, in any
            arrangement; None if the bijector mixes the entries, so that no entry has a slope of its
            own.

        Raises:
            ValueError: If `y` has too few dimensions, or the condition does not fit.

        ```python
        >>> import tensorflow as tf, tfp_glow
        >>> class Fan(tfp_glow.bijectors.OnePassBijector):
        ...     '''inverse(y) = [y_0, y_1 exp(y_0)].'''
        ...     def __init__(self):
        ...         super().__init__(forward_min_event_ndims=1, parameters={}, name='fan')
        ...     def _inverse_and_log_det(self, y):
        ...         return tf.stack([y[:, 0], y[:, 1] * tf.exp(y[:, 0])], 1), y[:, 0]
        ...     def _forward_and_log_det(self, x):
        ...         return tf.stack([x[:, 0], x[:, 1] * tf.exp(-x[:, 0])], 1), -x[:, 0]
        ...     def _log_slopes(self, y):
        ...         return y[:, :1]
        >>> Fan().log_slopes([[3., 1.], [4., 1.]]).numpy().tolist()
        [[3.0], [4.0]]

        ```
        """
        y = tf.convert_to_tensor(y, dtype_hint=self.dtype)
        ndims = self.inverse_min_event_ndims
        folding.check_input(self.name, y, ndims)
        if ndims == 0:
            return self._log_slopes(y, **self._checked({'condition': condition}))
        kwargs = self._checked({'condition': condition}, y, ndims)
        slopes = self._log_slopes(folding.fold_batch(y, ndims), **kwargs)
        if slopes is None:
            return None
        return tf.reshape(slopes, tf.concat([tf.shape(y)[:-ndims], tf.shape(slopes)[1:]], 0))

    def _log_slopes(self, y: tf.Tensor, *, condition: Condition = None) -> tf.Tensor | None:
        return elementwise_log_slopes(self, y, **conditions.condition_kwargs(self, condition))

    def singular_values(self) -> tf.Tensor | None:
        """Returns the singular values of the matrix M, if `inverse(y)` is M times y, plus a vector.

        M may map all entries of an event or, the same for each pixel, its channels. The answer is
        for `inverse`, the direction of the density, and the same for all y.

        Returns:
            `[D]`, D being the number of entries, or `[C]` of channels, in any order; None if the
            bijector is no such map, or M is diagonal, so that `log_slopes` says all.

        ```python
        >>> import tensorflow as tf, tfp_glow
        >>> conv = tfp_glow.bijectors.DenseConv1x1([[0., 2.], [3., 0.]])
        >>> sorted(conv.singular_values().numpy().tolist())
        [2.0, 3.0]

        ```
        """
        return None

    def visit_parts(self, y: Any, visit: Visit) -> Any:
        """Hands to each part of a container what reaches the part, from the data to the latents.

        `diagnose` walks through a flow by this method, and so does `initialize`. A container of
        your own overrides it: it calls `visit` in place of the `inverse` of each of its parts.

        Args:
            y: A batch of data, `[B, *event_shape]`.
            visit: `(name, part, value) -> latents`: is told a bijector and its input, in the
                direction of the density, and returns `part.inverse(value)`, evaluated under the
                condition if the part takes one. `name` is the path of the part in the container:
                the part's own name, or, if it ends in a slash, that of the place where the part
                stands alone, to which a layer adds its own name. A name that begins with a bracket,
                such as `[3]/`, is attached to the container's name.

        Returns:
            `inverse(y)`; None if the bijector has no parts.

        ```python
        >>> import tensorflow as tf, tfp_glow
        >>> class Mirrored(tfp_glow.bijectors.OnePassBijector):
        ...     '''inverse(y) = -part.inverse(y).'''
        ...     def __init__(self, part):
        ...         self.part = part
        ...         super().__init__(forward_min_event_ndims=1, parameters={}, name='mirrored')
        ...     def _inverse_and_log_det(self, y):
        ...         return -self.part.inverse(y), self.part.inverse_log_det_jacobian(y, 1)
        ...     def _forward_and_log_det(self, x):
        ...         return self.part.forward(-x), self.part.forward_log_det_jacobian(-x, 1)
        ...     def visit_parts(self, y, visit):
        ...         return -visit('/', self.part, y)
        >>> def visit(name, part, value):
        ...     print(name, part.name, value.numpy())
        ...     return part.inverse(value)
        >>> mirrored = Mirrored(tfp_glow.bijectors.ShiftScale(shift=1.))
        >>> mirrored.visit_parts(tf.constant([[2., 3.]]), visit).numpy()
        / shift_scale [[2. 3.]]
        array([[-3., -4.]], dtype=float32)

        ```
        """
        del y, visit
        return None

    def initialize(self, y: TensorLike, condition: Condition = None) -> Any:
        """Sets data-dependent parameters from a batch; a subclass overrides `_initialize(y)`.

        Args:
            y: Data that reaches the bijector, `[B, *event_shape]`.
            condition: The condition of the data, if the bijector takes one.

        Returns:
            What the next bijector sees: `inverse(y)`, with the parameters as they are now.

        Raises:
            ValueError: If the condition does not fit.
        """
        y = tf.convert_to_tensor(y, dtype_hint=self.dtype)
        ndims = self.inverse_min_event_ndims or y.shape.rank - 1
        kwargs = self._checked({'condition': condition}, y, ndims)
        if y.shape.rank == ndims + 1:
            return self._initialize(y, **kwargs)
        # This is a bijector of vectors within images, say.
        x = self._initialize(folding.fold_batch(y, ndims), **kwargs)
        return tf.reshape(x, tf.concat([tf.shape(y)[:-ndims], tf.shape(x)[1:]], 0))

    def _initialize(self, y: tf.Tensor, *, condition: Condition = None) -> Any:
        latents = self.visit_parts(
            y, lambda name, part, value: initialize(part, value, condition))
        if latents is not None:
            return latents
        return self._inverse_and_log_det(y, **conditions.condition_kwargs(self, condition))[0]


def log_slopes(bijector: tfb.Bijector, y: tf.Tensor, condition: Condition = None,
               ) -> tf.Tensor | None:
    """Returns `Introspection.log_slopes` of any TFP bijector."""
    kwargs = conditions.condition_kwargs(bijector, condition)
    if hasattr(bijector, 'log_slopes'):
        return bijector.log_slopes(y, **kwargs)
    return elementwise_log_slopes(bijector, y, **kwargs)


def elementwise_log_slopes(bijector: tfb.Bijector, y: tf.Tensor, **condition: Any,
                           ) -> tf.Tensor | None:
    """Returns the slopes that an elementwise TFP bijector's log-det tells; None of another."""
    if bijector.inverse_min_event_ndims != 0:
        return None
    log_det = bijector.inverse_log_det_jacobian(y, event_ndims=0, **condition)
    return tf.broadcast_to(log_det, tf.shape(y))


def singular_values(bijector: tfb.Bijector) -> tf.Tensor | None:
    """Returns `Introspection.singular_values` of any TFP bijector."""
    return bijector.singular_values() if hasattr(bijector, 'singular_values') else None


def visit_parts(bijector: tfb.Bijector, y: Any, visit: Visit) -> Any:
    """Returns `Introspection.visit_parts` of any TFP bijector; goes into `tfb.Chain` as well."""
    if hasattr(bijector, 'visit_parts'):
        return bijector.visit_parts(y, visit)
    # A chain with a part that takes several latents is not walked through.
    if isinstance(bijector, tfp_compat.Chain) and not any(
            tf.nest.is_nested(part.inverse_min_event_ndims) for part in bijector.bijectors):
        return visit_in_turn(bijector.bijectors, y, visit)
    return None


def visit_in_turn(bijectors: Sequence[tfb.Bijector], y: Any, visit: Visit) -> Any:
    """Visits bijectors one after the other by their names; those that share one are numbered."""
    counts: collections.Counter[str] = collections.Counter(b.name for b in bijectors)
    seen: collections.Counter[str] = collections.Counter()
    for bijector in bijectors:
        number = f'[{seen[bijector.name]}]' if counts[bijector.name] > 1 else ''
        seen[bijector.name] += 1
        y = visit(bijector.name + number, bijector, y)
    return y


def initialize(bijector: tfb.Bijector, y: tf.Tensor, condition: Condition = None) -> Any:
    """Initialises any TFP bijector, if it knows how, from data; returns what the next one sees."""
    kwargs = conditions.condition_kwargs(bijector, condition)
    if hasattr(bijector, 'initialize'):
        return bijector.initialize(y, **kwargs)
    latents = visit_parts(
        bijector, y, lambda name, part, value: initialize(part, value, condition))
    return bijector.inverse(y, **kwargs) if latents is None else latents
