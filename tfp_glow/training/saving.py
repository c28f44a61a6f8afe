"""How Keras saves, rebuilds and exports a model around an objective: `Saving`."""

import os
from collections.abc import Mapping, MutableMapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfp_glow.internal import configs
from tfp_glow.internal import variables as named_variables
from tfp_glow.training import stepping


class Saving(stepping.Stepping):
    """Saves, rebuilds and exports; the base of `LikelihoodModel`, which see.

    `model.save('x.keras')`, `keras.models.load_model`, `clone_model`, `pickle` and `copy.deepcopy`
    rebuild the model from its configuration: that of a flow is the call of its builder. A model of
    another flow has none, and says so; `save_weights` and `load_weights` need none, and neither do
    `tf.train.Checkpoint` and `serving.export`. Weights are saved by their paths.

    Args:
        objective: The objective, see `LikelihoodModel`.
        seed: See `Stepping`.
        name: The name of the model.
        config: The arguments of the subclass, of which `get_config` makes JSON.
    """

    def __init__(self, objective: Any, seed: int = 0, name: str | None = None,
                 config: Mapping[str, Any] | None = None) -> None:
        super().__init__(objective, seed, name)
        # Keras would track what is in a dictionary.
        object.__setattr__(self, '_arguments', config or {})

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` rebuilds the model from, but for its weights.

        Raises:
            NotImplementedError: If the flow or the VAE was not made by a builder of this library,
                or another argument has no configuration.
        """
        return configs.plain(self._arguments, self.name, 'model.save_weights(path)')

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> 'Saving':
        """Returns a model with fresh weights."""
        del custom_objects
        return cls(**configs.valued(config))

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles the model as it was when it was saved."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self._build_optimizer()

    def export(self, filepath: str | os.PathLike[str], format: str = 'tf_saved_model',
               **kwargs: Any) -> None:
        """Writes a SavedModel whose `serve` returns what `predict` does, for any number of images.

        `serving.export` writes one that samples, encodes and decodes as well.

        Args:
            filepath: A folder.
            format: 'tf_saved_model'.
            **kwargs: There are no others.

        Raises:
            ValueError: If an argument asks for another form.
        """
        given = {key: value for key, value in kwargs.items()
                 if value is not None and key != 'verbose'}
        if format != 'tf_saved_model' or given:
            raise ValueError('format must be tf_saved_model, and no other argument given; got '
                             f'{format=}, {given}.')
        module = tf.Module()
        module.parts = list(self.objective.parts)
        specs = tf.nest.map_structure(
            lambda s: tf.TensorSpec([None, *s.shape[1:]], s.dtype), self._specs())
        seed = [0, 1009 * self.noise_seed + 500]
        with self.averaged_weights(), self.objective.towers.as_one():
            module.serve = tf.function(
                lambda images, condition=None: self.bits(images, seed, condition),
                input_signature=specs, autograph=False)
            tf.saved_model.save(module, os.fspath(filepath), {'serving_default': module.serve})

    def load_weights(self, filepath: Any, **kwargs: Any) -> None:
        """Does what `keras.Model.load_weights` does, for a compiled model's optimizer too."""
        if self.compiled:
            self._build_optimizer()
        super().load_weights(filepath, **kwargs)

    def store_weights(self, values: MutableMapping[str, np.ndarray]) -> None:
        """Puts all weights into a mapping by their paths, as they are."""
        named_variables.store(self._holder(), values)

    def save_own_variables(self, store: MutableMapping[str, np.ndarray]) -> None:
        """Saves the weights; the statistics of `BatchNorm` are those for the averaged weights.

        A model that is loaded does not know the examples from which it would compute them.
        """
        values: dict[str, np.ndarray] = {}
        self.store_weights(values)
        if self.objective.has_statistics and all(map(_is_finite, values.values())):
            with self.averaged_weights():
                averaged: dict[str, np.ndarray] = {}
                self.store_weights(averaged)
            trained = {path.replace('/', '.') for path, variable in named_variables.by_path(
                self._holder()).items() if variable.trainable}
            values |= {path: value for path, value in averaged.items() if path not in trained}
        for path, value in values.items():
            store[path] = value

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        named_variables.load(self._holder(), store, self.objective.module_name)

    def _holder(self) -> tf.Module:
        """Returns one module with all parts."""
        if len(self.objective.parts) == 1:
            return self.objective.module
        holder = tf.Module()
        holder.parts = self.objective.parts
        return holder


def _is_finite(value: np.ndarray) -> bool:
    return value.dtype.kind != 'f' or bool(np.isfinite(value).all())
