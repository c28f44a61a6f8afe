"""Models of the zoo: each a frozen config, a `build` and published recipes by name."""
