"""Names of the types that the signatures of networks use; the docstrings tell the shapes."""

from collections.abc import Callable, Sequence
from typing import Any

import keras

# A tensor of Keras's backend: this folder does not know which backend that is.
Tensor = Any
# The static shape of one input, without the batch: (28, 28, 1).
Shape = Sequence[int]
# The same with the batch first: (None, 28, 28, 1). A size is an integer, or None if unknown.
BatchShape = Sequence[Any]
# The name of an activation in Keras, or a function of one tensor.
Activation = str | Callable[[Tensor], Tensor]
# The name of an initialiser in Keras, or an initialiser.
Initializer = str | keras.initializers.Initializer
# The name of a dtype or of a policy in Keras, or a policy.
DType = str | keras.DTypePolicy
# The arguments of a constructor by their names, from which Keras builds a network again.
Config = dict[str, Any]
# What is done with one layer and its input, such as to call it or to initialise it.
Apply = Callable[[keras.Layer, Tensor], Tensor]
