"""Adapters to Keras and to TFP's private interfaces; nothing here is public."""
