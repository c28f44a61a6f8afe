"""The models of the zoo: each has a frozen config, a function `build` and recipes by name."""
