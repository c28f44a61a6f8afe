"""`Answers`: what a flow says about its users' events, as TensorFlow computations."""

import tensorflow as tf

from tfp_glow.distributions import with_temperature


class Answers:
    """A flow as a model of events in the form that its users have them.

    A subclass says what that form is, and what the density of such an event is: it has `kind`, the
    plural that its events go by; `event_spec`, a batch of them; `densities`, the questions about
    their density; and writes `_data`, `_made`, `about` and `round_trip`.

    A bad value fails the computation with one line that names the question and the argument.

    Args:
      flow: a `tfd.TransformedDistribution`, over data of the flow.
      classes: number of classes of a conditional flow, whose questions all have one more argument,
        `label`: an integer 0 .. classes-1 for each event, or one for all. None for no condition.
    """

    subject = 'flow'

    def __init__(self, flow, classes=None):
        self.flow, self.classes = flow, classes
        # Concrete, or saving would trace them anew for every question that calls them.
        data = tf.TensorSpec([None, *flow.event_shape], flow.dtype)
        labels = [] if classes is None else [tf.TensorSpec([None], tf.int32)]

        def analyse(x, *label):
            condition = dict(zip(['condition'], label))
            return (flow.log_prob(x, **condition),
                    tf.nest.flatten(flow.bijector.inverse(x, **condition)))

        def synthesise(z, *label):
            return flow.bijector.forward(self._packed(z), **dict(zip(['condition'], label)))
        self._analyse = tf.function(analyse).get_concrete_function(data, *labels)
        self._synthesise = tf.function(synthesise).get_concrete_function(
            self.latent_specs, *labels)

    @property
    def name(self):
        """The flow's."""
        return self.flow.name

    @property
    def event_shape(self):
        """The flow's, a list."""
        return self.flow.event_shape.as_list()

    @property
    def latent_shapes(self):
        """The shape of each level, the finest first."""
        shapes = self.flow.bijector.inverse_event_shape(self.flow.event_shape)
        return [s.as_list() for s in (shapes if isinstance(shapes, list) else [shapes])]

    @property
    def latent_specs(self):
        """A batch of each level."""
        return [tf.TensorSpec([None, *s], self.flow.dtype) for s in self.latent_shapes]

    @property
    def questions(self):
        """`{question: {argument: its TensorSpec}}`, in the order of the arguments."""
        events = self.event_spec
        found = {
            'sample': sample_specs(),
            **self.densities,
            'encode': {self.kind: events},
            'decode': {'latents': self.latent_specs},
            'interpolate': {'first': events, 'second': events,
                            'steps': tf.TensorSpec([], tf.int32)},
        }
        label = {} if self.classes is None else {'label': tf.TensorSpec([None], tf.int32)}
        return {question: {**specs, **label} for question, specs in found.items()}

    def sample(self, n, temperature=1., seed=0, label=None):
        """`n` events; the same ones for the same seed, which is one integer or two."""
        n, temperature = checked_draw(n, temperature)
        base = with_temperature(self.flow, temperature).distribution
        latents = tf.nest.flatten(base.sample(n, seed=pair('sample', seed)))
        return self._events(latents, self._labels(label, n, 'sample'), 'sample')

    def encode(self, events, label=None):
        """One latent per level, the finest first."""
        return self._encode(events, self._labels(label, tf.shape(events)[0], 'encode'), 'encode')

    def decode(self, latents, label=None):
        """The events of latents; undoes `encode`."""
        count = tf.shape(latents[0])[0]
        return self._decode(latents, self._labels(label, count, 'decode'), 'decode')

    def interpolate(self, first, second, steps, label=None):
        """`[B, steps, ...]`: from `first` to `second`, straight in the space of latents."""
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

    def _data(self, events, question):
        """Events as data of the flow, with no noise."""
        raise NotImplementedError(f'{type(self).__name__} must write _data.')

    def _made(self, data):
        """The events that finite data of the flow are."""
        raise NotImplementedError(f'{type(self).__name__} must write _made.')

    def _encode(self, events, labels, question):
        return self._analyse(self._data(events, question), *labels)[1]

    def _decode(self, latents, labels, question):
        return self._events(checked_latents(latents, question), labels, question)

    def _events(self, latents, labels, question):
        data = tf.debugging.assert_all_finite(
            self._synthesise(latents, *labels),
            f'{question}: the flow gave {self.kind} that are not finite; a lower temperature, or '
            f'latents nearer to those of {self.kind}, may help')
        return self._made(data)

    def _labels(self, label, count, question):
        """`[label of each event]` if the flow is conditional, else nothing."""
        if self.classes is None:
            return []
        with tf.control_dependencies([
                check((tf.size(label) == 1) | (tf.size(label) == count),
                      f'{question}: label must be one, or one for each of', count, '; got',
                      tf.size(label)),
                check(tf.reduce_all((label >= 0) & (label < self.classes)),
                      f'{question}: label must be in 0 .. {self.classes - 1}; got', label)]):
            return [tf.broadcast_to(label, [count])]

    def _packed(self, latents):
        structure = self.flow.bijector.inverse_dtype(self.flow.dtype)
        return tf.nest.pack_sequence_as(structure, latents)


def sample_specs():
    """The arguments of `sample`."""
    return {'n': tf.TensorSpec([], tf.int32), 'temperature': tf.TensorSpec([], tf.float32),
            'seed': seed_spec()}


def seed_spec():
    """A seed: `[]` or `[2]`."""
    return tf.TensorSpec(None, tf.int32)


def checked_draw(n, temperature):
    """`(n, temperature)` of `sample`, if they are in their ranges."""
    with tf.control_dependencies([
            check(n > 0, 'sample: n must be at least 1; got', n),
            check((temperature >= 0) & tf.math.is_finite(temperature),
                  'sample: temperature must be finite and at least 0; got', temperature)]):
        return tf.identity(n), tf.identity(temperature)


def checked_latents(latents, question):
    """The latents, if they are finite and as many at every level."""
    latents = [tf.debugging.assert_all_finite(
        z, f'{question}: level_{i} must be finite; it holds NaN or infinity')
        for i, z in enumerate(latents)]
    with tf.control_dependencies([
            check(tf.reduce_all(tf.equal([tf.shape(z)[0] for z in latents],
                                         tf.shape(latents[0])[0])),
                  f'{question}: all levels must hold as many latents; got',
                  *[tf.shape(z)[0] for z in latents])]):
        return [tf.identity(z) for z in latents]


def pair(question, seed):
    """One integer or two as the two of a stateless seed."""
    seed = tf.reshape(seed, [-1])
    with tf.control_dependencies([
            check((tf.size(seed) == 1) | (tf.size(seed) == 2),
                  f'{question}: seed must be one integer or two; got', tf.size(seed))]):
        return tf.ensure_shape(tf.concat([seed, [0]], 0)[:2], [2])


def check(condition, message, *values):
    """An assertion with one line to say."""
    return tf.debugging.Assert(condition, [message, *values])
