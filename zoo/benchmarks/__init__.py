"""Measures speed and memory of Glow here and in two other libraries, on one machine in one run.

`zoo.benchmark` is the program. `worker` is the process that measures one peer. `session` starts the
workers and takes turns among them. `comparison` and `depth` are the two reports.
"""
