"""`Answers`, which answers questions about its users' events by a flow and in TensorFlow."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_glow.distributions import with_temperature
from tfp_glow.internal.towers import Towers
from tfp_glow.types import Latents, Seed, TensorLike

# The arguments of a question in their order: the spec of each, or a list with one spec per level.
Specs = dict[str, tf.TensorSpec | list[tf.TensorSpec]]


class Answers:
    """A flow as a model of events in the form that its users have them.

    A subclass defines this form, and the density of an event in this form. It sets `kind`, the
    plural noun for its events, and writes `event_spec`, `densities`, `about`, `round_trip`, `_data`
    and `_made`. It has one method for each of its `densities`.

    A bad value fails the computation with one line that names the question and the argument.

    Args:
        flow: A `tfd.TransformedDistribution` over data of the flow.
        classes: The number of classes of a conditional flow. All questions to such a flow have one
            more argument, `label`: an integer 0 .. classes-1 for each event, or one for all events.
            None is for a flow without condition.
        towers: The number of shares in which the flow computes a batch, see `FlowModel`.
    """

    model_type = 'flow'
    kind: str

    def __init__(self, flow: tfd.Distribution, classes: int | None = None,
                 towers: int = 1) -> None:
        self.flow, self.classes, self.towers = flow, classes, Towers(towers)
        # Saving would trace these functions anew for every question that calls them, were they not
        # concrete.
        data = tf.TensorSpec([None, *flow.event_shape], flow.dtype)
        labels = [] if classes is None else [tf.TensorSpec([None], tf.int32)]

        def analyse(x: tf.Tensor, *label: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
            condition = dict(zip(['condition'], label))
            return (flow.log_prob(x, **condition),
                    tf.nest.flatten(flow.bijector.inverse(x, **condition)))

        def synthesise(z: list[tf.Tensor], *label: tf.Tensor) -> tf.Tensor:
            return flow.bijector.forward(self._packed(z), **dict(zip(['condition'], label)))
        self._analyse = self._in_shares(analyse, data, *labels)
        self._synthesise = self._in_shares(synthesise, self.latent_specs, *labels)

    @property
    def name(self) -> str:
        """The flow's name."""
        return self.flow.name

    @property
    def event_shape(self) -> list[int]:
        """The flow's event shape."""
        return self.flow.event_shape.as_list()

    @property
    def event_spec(self) -> tf.TensorSpec:
        """The spec of a batch of events."""
        raise NotImplementedError(f'{type(self).__name__} must write event_spec.')

    @property
    def densities(self) -> dict[str, Specs]:
        """The questions about the density, `{question: {argument: its TensorSpec}}`."""
        raise NotImplementedError(f'{type(self).__name__} must write densities.')

    @property
    def about(self) -> dict[str, Any]:
        """What `bundle.json` says of these events."""
        raise NotImplementedError(f'{type(self).__name__} must write about.')

    @property
    def latent_shapes(self) -> list[list[int]]:
        """The shape of each level's latent, the finest level first."""
        shapes = self.flow.bijector.inverse_event_shape(self.flow.event_shape)
        return [s.as_list() for s in (shapes if isinstance(shapes, list) else [shapes])]

    @property
    def latent_specs(self) -> list[tf.TensorSpec]:
        """The spec of a batch of each level's latents, the finest level first."""
        return [tf.TensorSpec([None, *s], self.flow.dtype) for s in self.latent_shapes]

    @property
    def questions(self) -> dict[str, Specs]:
        """All questions, `{question: {argument: its TensorSpec}}`, in the order of the arguments.
        """
        events = self.event_spec
        questions: dict[str, Specs] = {
            'sample': sample_specs(),
            **self.densities,
            'encode': {self.kind: events},
            'decode': {'latents': self.latent_specs},
            'interpolate': {'first': events, 'second': events,
                            'steps': tf.TensorSpec([], tf.int32)},
        }
        label: Specs = {} if self.classes is None else {'label': tf.TensorSpec([None], tf.int32)}
        return {question: {**specs, **label} for question, specs in questions.items()}

    def sample(self, n: TensorLike, temperature: TensorLike = 1., seed: Seed = 0,
               label: tf.Tensor | None = None) -> tf.Tensor:
        """Returns `n` events: the same ones for the same seed, which is one integer or two."""
        n, temperature = checked_draw(n, temperature)
        base = with_temperature(self.flow, temperature).distribution
        latents = tf.nest.flatten(base.sample(n, seed=pair('sample', seed)))
        return self._events(latents, self._labels(label, n, 'sample'), 'sample')

    def encode(self, events: tf.Tensor, label: tf.Tensor | None = None) -> list[tf.Tensor]:
        """Returns one latent per level, the finest level first."""
        return self._encode(events, self._labels(label, tf.shape(events)[0], 'encode'), 'encode')

    def decode(self, latents: list[tf.Tensor], label: tf.Tensor | None = None) -> tf.Tensor:
        """Returns the events of latents, and so undoes `encode`."""
        count = tf.shape(latents[0])[0]
        return self._decode(latents, self._labels(label, count, 'decode'), 'decode')

    def interpolate(self, first: tf.Tensor, second: tf.Tensor, steps: TensorLike,
                    label: tf.Tensor | None = None) -> tf.Tensor:
        """Returns events `[B, steps, ...]` on the way from `first` to `second`.

        The way is straight in the space of latents.
        """
        question, count = 'interpolate', tf.shape(first)[0]
        with tf.control_dependencies([
                check(steps > 1, 'interpolate: steps must be at least 2; got', steps),
                check(count == tf.shape(second)[0],
                      f'interpolate: first and second must be as many {self.kind}; got',
                      count, tf.shape(second)[0])]):
            first, steps = tf.identity(first), tf.identity(steps)
        labels = self._labels(label, count, question)
        latents = self._encode(tf.concat([first, second], 0),
                               [tf.tile(label, [2]) for label in labels], question)
        mixed = []
        for z, shape in zip(latents, self.latent_shapes):
            weight = tf.cast(tf.range(steps) / (steps - 1), z.dtype)
            weight = tf.reshape(weight, [-1, *[1] * len(shape)])
            start, end = (half[:, tf.newaxis] for half in tf.split(z, 2))
            mixed.append(tf.reshape((1 - weight) * start + weight * end, [-1, *shape]))
        events = self._decode(mixed, [tf.repeat(label, steps) for label in labels], question)
        return tf.reshape(events, [-1, steps, *self.event_spec.shape[1:]])

    def round_trip(self, events: Any, again: Any) -> tuple[float, str | None]:
        """Returns `(figure, complaint)` about how far arrays `again` are from `events`.

        Args:
            events: Events, as an array.
            again: The array `decode(encode(events))`.

        Returns:
            The size of the difference, and a clause that complains about it, or None if the
            difference is small enough.
        """
        raise NotImplementedError(f'{type(self).__name__} must write round_trip.')

    def _data(self, events: tf.Tensor, question: str) -> tf.Tensor:
        """Returns events as data of the flow, with no noise."""
        raise NotImplementedError(f'{type(self).__name__} must write _data.')

    def _made(self, data: tf.Tensor) -> tf.Tensor:
        """Returns the events that correspond to finite data of the flow."""
        raise NotImplementedError(f'{type(self).__name__} must write _made.')

    def _encode(self, events: tf.Tensor, labels: list[tf.Tensor],
                question: str) -> list[tf.Tensor]:
        return self._analyse(self._data(events, question), *labels)[1]

    def _decode(self, latents: list[tf.Tensor], labels: list[tf.Tensor],
                question: str) -> tf.Tensor:
        return self._events(checked_latents(latents, question), labels, question)

    def _events(self, latents: list[tf.Tensor], labels: list[tf.Tensor],
                question: str) -> tf.Tensor:
        data = tf.debugging.assert_all_finite(
            self._synthesise(latents, *labels),
            f'{question}: the flow gave {self.kind} that are not finite; a lower temperature, or '
            f'latents nearer to those of {self.kind}, may help')
        return self._made(data)

    def _labels(self, label: tf.Tensor | None, count: tf.Tensor, question: str) -> list[tf.Tensor]:
        """Returns `[label of each event]` if the flow is conditional, or else an empty list."""
        if self.classes is None:
            return []
        if label is None:
            raise ValueError(f'{question}: label must be given to a conditional flow; got none.')
        with tf.control_dependencies([
                check((tf.size(label) == 1) | (tf.size(label) == count),
                      f'{question}: label must be one, or one for each of', count, '; got',
                      tf.size(label)),
                check(tf.reduce_all((label >= 0) & (label < self.classes)),
                      f'{question}: label must be in 0 .. {self.classes - 1}; got', label)]):
            return [tf.broadcast_to(label, [count])]

    def _in_shares(self, function: Callable[..., Any], *specs: Any) -> Callable[..., Any]:
        return tf.function(
            lambda *arguments: self.towers.run(lambda rows: function(*rows), arguments),
            autograph=False).get_concrete_function(*specs)

    def _packed(self, latents: list[tf.Tensor]) -> Latents:
        structure = self.flow.bijector.inverse_dtype(self.flow.dtype)
        return tf.nest.pack_sequence_as(structure, latents)


def sample_specs() -> Specs:
    """Returns the specs of the arguments of `sample`."""
    return {'n': tf.TensorSpec([], tf.int32), 'temperature': tf.TensorSpec([], tf.float32),
            'seed': seed_spec()}


def seed_spec() -> tf.TensorSpec:
    """Returns the spec of a seed, which is `[]` or `[2]`."""
    return tf.TensorSpec(None, tf.int32)


def checked_draw(n: TensorLike, temperature: TensorLike) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns `(n, temperature)` of `sample`, and fails if they are out of their ranges."""
    with tf.control_dependencies([
            check(n > 0, 'sample: n must be at least 1; got', n),
            check((temperature >= 0) & tf.math.is_finite(temperature),
                  'sample: temperature must be finite and at least 0; got', temperature)]):
        return tf.identity(n), tf.identity(temperature)


def checked_latents(latents: Sequence[tf.Tensor], question: str) -> list[tf.Tensor]:
    """Returns the latents, and fails unless they are finite and as many at every level."""
    latents = [tf.debugging.assert_all_finite(
        z, f'{question}: level_{i} must be finite; it holds NaN or infinity')
        for i, z in enumerate(latents)]
    with tf.control_dependencies([
            check(tf.reduce_all(tf.equal([tf.shape(z)[0] for z in latents],
                                         tf.shape(latents[0])[0])),
                  f'{question}: all levels must hold as many latents; got',
                  *[tf.shape(z)[0] for z in latents])]):
        return [tf.identity(z) for z in latents]


def pair(question: str, seed: Seed) -> tf.Tensor:
    """Returns a seed of one integer or two as the two integers of a stateless seed, `[2]`."""
    seed = tf.reshape(seed, [-1])
    with tf.control_dependencies([
            check((tf.size(seed) == 1) | (tf.size(seed) == 2),
                  f'{question}: seed must be one integer or two; got', tf.size(seed))]):
        return tf.ensure_shape(tf.concat([seed, [0]], 0)[:2], [2])


def check(condition: tf.Tensor, message: str, *values: tf.Tensor) -> tf.Operation | None:
    """Returns an assertion that fails with one line: the message and the values."""
    return tf.debugging.Assert(condition, [message, *values])
