r"""Gives back the images of a file of `zoo.compress`, bit for bit, or a preview of them.

    python -m zoo.decompress --preset=idf_photo_patches picture.tfg picture.png
    python -m zoo.decompress --preset=idf_photo_patches pictures.tfg FOLDER
    python -m zoo.decompress --preset=idf_photo_patches --preview picture.tfg preview.png

OUTPUT is a .png, an .npy, or a new folder if a folder was compressed. With --preview, only the
coarsest integers are decoded and the others are drawn from the model: a rough picture.
"""

import pathlib
from typing import BinaryIO

from absl import flags

from zoo.archives import files as archived_files
from zoo.cli import errors, number_flags, program, progress
from zoo.runs import preset_folder

_PRESET = flags.DEFINE_string('preset', None, 'The preset that the file was compressed with.')
_PREVIEW = flags.DEFINE_bool('preview', False, 'Decode --levels, draw the others.')
_LEVELS = number_flags.integer('levels', 1, 'Levels that --preview decodes, from the coarsest.')
_SEED = number_flags.seed('seed', 0, 'Of what --preview draws.')
_OVERWRITE = flags.DEFINE_bool('overwrite', False, 'Replace files that are there.')


def main(argv: list[str]) -> None:
    """Decompresses argv[1] into argv[2]."""
    _, source, out = argv
    preset = program.required(_PRESET)
    path = pathlib.Path(source)
    if not path.is_file():
        raise errors.UsageError(f'INPUT must be a .tfg file; got {source!r}.')
    if not _PREVIEW.value:
        program.refuse('without --preview', 'levels', 'seed')
    preset_folder.find(preset, '--preset')
    program.start_tensorflow()
    from tfp_glow import coding  # Late: a wrong flag is reported at once.
    from tfp_glow.coding import container, reader
    from zoo.archives import codecs
    with path.open('rb') as file:
        try:
            header = reader.read_header(file)
            target = archived_files.Target(out, header.layout == container.ARRAY, _OVERWRITE.value)
            codecs.limit_instructions(header.settings)
            _decode(preset, file, target, header.layout == container.LIST)
        except (coding.DecodingError, OSError) as error:  # Or a name too long, a full disk.
            raise errors.Failure(f'{source}: {error}') from error


def _decode(preset: str, file: BinaryIO, target: archived_files.Target, unnamed: bool) -> None:
    """Decodes a file.

    Args:
        preset: The preset that it was compressed with.
        file: The file.
        target: Where its arrays are written.
        unnamed: Whether its arrays have no names, as those of a list.

    Raises:
        UsageError: If the preset or --levels does not suit the file.
        DecodingError: If the file cannot be decoded.
    """
    from tfp_glow import coding
    from zoo.archives import codecs
    codec = coding.Codec(codecs.read_preset(preset).flow)
    show = progress.Progress('decoding')
    with program.naming_flags():
        try:
            decoder = coding.Decoder(codec, file, _LEVELS.value if _PREVIEW.value else None,
                                     _SEED.value)
        # The header has been read before, so the file must be that of another model.
        except coding.DecodingError as error:
            raise errors.UsageError(f'--preset: {file.name}: {error}') from error
    sizes: list[int] = []

    def name(given: str) -> str:
        return f'{len(sizes)}.npy' if unnamed else given
    with archived_files.removing(target):
        for given, array in decoder.arrays(
                lambda given, shape: target.make(name(given), shape),
                lambda tiles: show(f'{len(sizes)} files, {tiles} tiles')):
            target.write(name(given), array)
            sizes.append(array.size)
    print(f'{target.path}: {len(sizes)} file{"s" * (len(sizes) > 1)}'
          f'{", a preview" * _PREVIEW.value}, '
          f'{codecs.speeds(codec, sum(sizes), file.tell())}')


if __name__ == '__main__':
    program.run(main, operands=('INPUT', 'OUTPUT'))
