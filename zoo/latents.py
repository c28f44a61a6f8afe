r"""Changes images by changing their latents; writes a PNG, or a GIF that moves.

    python -m zoo.latents --workdir=RUN --tool=interpolate --images=0,1,2 --out=way.png

These are the tools. Each makes a row for each image, from left to right:

    interpolate  from each image to the next, straight between their latents (or --spherical)
    traverse     one entry of one latent, --level and --index, from -strength to +strength standard
                 deviations
    resample     the image; then each level's latent drawn anew, or several draws of --level
    temperature  one sample at each of --temperatures
    attribute    edited by the difference of the class means --positive and --negative, from 0 to
                 --strength times
    reconstruct  the image; then from the mode of all latents, the coarsest kept, ... all kept
    inpaint      the image; without the part under --mask; that part while log p rises
    manifold     of a VAE with two latents: --steps quantiles of a Normal along each of them

A VAE has interpolate, traverse (--level is then the number of the group of latents), temperature,
reconstruct (the image and what its latents' centre gives) and manifold, without the noise of
p(x|z). A GIF shows one after the other what is side by side here.
"""

from typing import Any

import numpy as np
from absl import flags

from zoo.cli import errors, files, number_flags, program, ranges, source_flags
from zoo.runs import preset_folder

_TOOLS = {  # The flags that each tool uses besides those that all use.
    'interpolate': ('images', 'image_file', 'steps', 'spherical'),
    'traverse': ('images', 'image_file', 'steps', 'level', 'index', 'strength'),
    'resample': ('images', 'image_file', 'steps', 'level', 'temperature'),
    'temperature': ('temperatures', 'num'),
    'attribute': ('images', 'image_file', 'steps', 'strength', 'positive', 'negative',
                  'class_images'),
    'reconstruct': ('images', 'image_file'),
    'inpaint': ('images', 'image_file', 'steps', 'mask', 'ascent_steps', 'step_size'),
    'manifold': ('steps',)}
_WITHOUT_IMAGES = ('temperature', 'manifold')
_OPTIONS = ('steps', 'spherical', 'level', 'index', 'strength', 'temperature', 'temperatures',
            'num', 'positive', 'negative', 'class_images', 'mask', 'ascent_steps', 'step_size')

_TOOL = flags.DEFINE_enum('tool', None, list(_TOOLS), 'What to do, see above.')
_WORKDIR, _PRESET, _DATA_DIR = source_flags.define()
_IMAGES = number_flags.integers(
    'images', None, 'Test images by number, from 0. Default: 0,1,2,3 unless --image_file is given.',
    ranges.WHOLE)
_IMAGE_FILE = flags.DEFINE_list(
    'image_file', [], 'PNG files of your own, of the data set\'s size; they come after --images.')
_OUT = flags.DEFINE_string('out', None, 'Where to write, a .png or a .gif.')
_OVERWRITE = flags.DEFINE_bool('overwrite', False, 'Replace --out if it is there.')
_SEED = number_flags.seed('seed', 0, 'Of dequantization and of all that is drawn.')
number_flags.integer(
    'steps', 9, 'Images in a row: of interpolate, traverse, attribute, manifold, resample with '
    '--level; shown by inpaint.', ranges.Range(2, ranges.LARGEST_INTEGER))
flags.DEFINE_bool('spherical', False, 'interpolate: along the great circle.')
number_flags.integer(
    'level', None, 'traverse, resample: number of the latent, the finest is 0. traverse: by '
    'default the coarsest.', ranges.WHOLE)
number_flags.integer('index', 0, 'traverse: number of the entry in the flattened latent.',
                     ranges.WHOLE)
number_flags.number(
    'strength', None, 'traverse: standard deviations, default 3; attribute: multiples of the '
    'difference, default 1.', ranges.Range())
number_flags.number('temperature', 1., 'resample: of what is drawn.')
number_flags.numbers('temperatures', [0., .25, .5, .7, .85, 1.], 'temperature: these.')
number_flags.integer('num', 4, 'temperature: samples.')
number_flags.integer('positive', None, 'attribute: number of the class that has it.',
                     ranges.WHOLE)
number_flags.integer('negative', None, 'attribute: number of the class that has not.',
                     ranges.WHOLE)
number_flags.integer('class_images', 2000, 'attribute: at most so many training images a class.')
flags.DEFINE_enum('mask', 'bottom', ['left', 'right', 'top', 'bottom', 'middle'],
                  'inpaint: the half to fill in; middle: about half of each side.')
number_flags.integer('ascent_steps', 300, 'inpaint: steps of gradient ascent.')
number_flags.number('step_size', 1e-3, 'inpaint: of the first step; it adapts.', ranges.POSITIVE)


def main(argv: list[str]) -> None:
    """Opens the model, uses the tool and writes the pictures."""
    del argv
    name, out = program.required(_TOOL), program.required(_OUT)
    files.check_output(out, ('.png', '.gif'), _OVERWRITE.value)
    _check_flags(name)
    preset_folder.check_source(_WORKDIR.value, _PRESET.value)
    program.start_tensorflow()
    from zoo.latent_tools import tools  # Late: a wrong flag is reported at once.
    from zoo.runs import opening
    trained = opening.open_run_or_preset(_WORKDIR.value, _PRESET.value, _DATA_DIR.value)
    tool, source = tools.find(name, trained, _SEED.value)
    if isinstance(source, tools.conversion.VaeImages) and name != 'temperature':
        program.refuse(f'with --tool={name} of a VAE, which draws nothing', 'seed')
    options = tools.ToolOptions(**{option: _option(option) for option in _OPTIONS})
    with program.naming_flags(), trained.averaged_weights():
        images = None
        if name not in _WITHOUT_IMAGES:
            numbers = _IMAGES.value if _IMAGES.value is not None else (
                [] if _IMAGE_FILE.value else list(range(4)))
            images = source.read(numbers, _IMAGE_FILE.value)
        rows = tool(source, images, options)
    pictures = source.pictures(rows)
    _write(pictures, source.picture_bins, out)
    print(f'{out}: {name}, {pictures.shape[0]} rows of {pictures.shape[1]} images')


def _write(rows: np.ndarray, bins: int, path: str) -> None:
    """Writes rows of images, [B, T, H, W, C], as a PNG or a GIF, as the path says."""
    from zoo.pictures import grids
    if path.endswith('.gif'):
        grids.save_animation(rows.swapaxes(0, 1), path, bins)
    else:
        grids.save_grid(rows.reshape(-1, *rows.shape[2:]), path, bins, columns=rows.shape[1])


def _option(name: str) -> Any:
    value = flags.FLAGS[name].value
    return tuple(value) if isinstance(value, list) else value


def _check_flags(tool: str) -> None:
    """Checks that each given flag has a use for the tool, and that the tool has what it needs."""
    program.refuse(f'with --tool={tool}', *(
        name for name in ('images', 'image_file', *_OPTIONS) if name not in _TOOLS[tool]))
    program.check_not_empty('image_file', 'temperatures')
    if tool == 'resample' and program.is_given('steps') and not program.is_given('level'):
        raise errors.UsageError('--steps must be left out with --tool=resample but for one '
                                f'--level; got {flags.FLAGS.steps}.')
    if tool == 'attribute':
        program.require('positive', 'negative')
        if flags.FLAGS.positive == flags.FLAGS.negative:
            raise errors.UsageError('--negative must be another class than --positive; '
                                    f'got {flags.FLAGS.negative}.')


if __name__ == '__main__':
    program.run(main)
