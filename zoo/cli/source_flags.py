"""The flags that say which trained model a program opens: a run directory or a preset."""

from absl import flags

flags.disclaim_key_flags()  # A flag belongs to the module that asks for it.

TextFlag = flags.FlagHolder[str | None]


def define(preset_help: str = 'Name or folder of a preset.',
           ) -> tuple[TextFlag, TextFlag, TextFlag]:
    """Defines `--workdir`, `--preset` and `--data_dir` and returns their holders.

    Args:
        preset_help: What `--help` says of `--preset`.
    """
    return (flags.DEFINE_string('workdir', None, 'Run directory of zoo.train, or give --preset.'),
            flags.DEFINE_string('preset', None, preset_help),
            data_dir())


def data_dir() -> TextFlag:
    """Defines `--data_dir` and returns its holder."""
    return flags.DEFINE_string(
        'data_dir', None, 'Where TFDS finds prepared data sets. Default: where the run that is '
        'opened found them, else $TFDS_DATA_DIR or ~/tensorflow_datasets.')
