r"""Diagnoses a run or a preset: a table of its flow's layers, and warnings of what is bad.

Of a VAE, it reports posterior collapse: active units and the divergence of each channel of the
latents.

    python -m zoo.diagnose --workdir=runs/glow_digits
    python -m zoo.diagnose --preset=glow_digits

It prints what `tfp_glow.diagnose`, or the report on posterior collapse, says of a batch of images
and writes diagnosis.json into the run directory, if it is one. The exit status is 0 with warnings
too.
"""

import pathlib

from absl import flags

from zoo.cli import errors, files, number_flags, program, ranges, source_flags
from zoo.runs import preset_folder

_WORKDIR, _PRESET, _DATA_DIR = source_flags.define()
_SPLIT = flags.DEFINE_enum('split', 'validation', ['train', 'validation', 'test'],
                           'Split of the images.')
_IMAGES = number_flags.integer('images', None, 'The first images of the split are looked at. '
                               'Default: 64; of VAEs 1000 or all.')
_DRAWS = number_flags.integer('draws', 64, 'Draws of a VAE\'s posterior for each of them.',
                              ranges.EVEN)


def main(argv: list[str]) -> None:
    """Diagnoses the averaged weights of the newest checkpoint, in float32."""
    del argv
    preset_folder.check_source(_WORKDIR.value, _PRESET.value)
    program.start_tensorflow()
    from zoo.evaluation import families  # Late: a wrong flag is reported at once.
    from zoo.models.spec import Kind
    from zoo.runs import opening
    trained = opening.open_run_or_preset(_WORKDIR.value, _PRESET.value, _DATA_DIR.value)
    if trained.kind is not Kind.VAE:
        program.refuse('for a flow, which has no posterior', 'draws')
    family = families.family_of(trained)
    data, split = trained.data, _SPLIT.value
    size, least = data.sizes[split], family.least_diagnosed_examples
    count = _IMAGES.value or min(family.diagnosed_examples, size)
    if not least <= count <= size:
        raise errors.UsageError(f'--images must be at least {least} and at most the {size} of '
                                f'--split={split}; got {count}.')
    text, report = family.diagnose(split, count, _DRAWS.value)
    print(data.describe())
    print(f'the first {count} examples of {data.splits[split]}; averaged weights\n')
    print(text)
    if _WORKDIR.value:
        files.write_json(pathlib.Path(_WORKDIR.value) / 'diagnosis.json',
                         {'split': data.splits[split], 'images': count, **report})


if __name__ == '__main__':
    program.run(main)
