"""What `zoo.compare` does: it reads run directories and prints tables of them, without TensorFlow.
"""
