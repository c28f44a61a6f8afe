"""The model zoo: programs that train, evaluate, export and sample flows."""

import os

# Read by TensorFlow when it first allocates: keep freed memory instead of returning it to the
# system, whose page faults otherwise cost as much as the arithmetic.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
