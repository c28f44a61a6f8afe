"""The model zoo: programs that train, evaluate, export and sample flows."""

import os

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')  # Before anything imports TensorFlow.
