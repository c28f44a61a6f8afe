"""Adapts Keras and TFP's private interfaces; nothing in this folder is public."""
