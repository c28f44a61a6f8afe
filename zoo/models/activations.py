"""The names of Keras's activations, so that a wrong one is refused before Keras is imported."""

# Of those that Keras knows, `glu` and `threshold` are missing: a hidden layer cannot have them.
# The first halves the number of channels, the second needs further arguments.
NAMES = (
    'celu', 'elu', 'exponential', 'gelu', 'hard_shrink', 'hard_sigmoid', 'hard_silu', 'hard_swish',
    'hard_tanh', 'leaky_relu', 'linear', 'log_sigmoid', 'log_softmax', 'mish', 'relu', 'relu6',
    'selu', 'sigmoid', 'silu', 'soft_shrink', 'softmax', 'softplus', 'softsign', 'sparse_plus',
    'sparse_sigmoid', 'sparsemax', 'squareplus', 'swish', 'tanh', 'tanh_shrink')
