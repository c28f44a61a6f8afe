r"""Compresses images into one file, losslessly, by a preset of an integer flow.

    python -m zoo.compress --preset=idf_photo_patches picture.png picture.tfg
    python -m zoo.compress --preset=idf_fashion_mnist test_images.npy test_images.tfg
    python -m zoo.compress --preset=idf_photo_patches FOLDER pictures.tfg

INPUT is a .png or .npy, or a folder of such with its subfolders: 8-bit grey or RGB images of any
size, [H, W], [H, W, C], [N, H, W] or [N, H, W, C] in an .npy. Only pixels are coded: other things
in a .png, such as texts, do not come back. `zoo.decompress` undoes it.
"""

import pathlib
from typing import TYPE_CHECKING, BinaryIO

from absl import flags

from zoo.archives import files as archived_files
from zoo.cli import errors, files, number_flags, program, progress
from zoo.runs import preset_folder

if TYPE_CHECKING:
    from tfp_glow import coding

_PRESET = flags.DEFINE_string('preset', None, 'Name or folder of a preset of the model idf.')
_BATCH = number_flags.integer(
    'batch', None, 'Tiles that the networks are given at once; the file must be decoded with as '
    'many. By default by their number and size.')
_VERIFY = flags.DEFINE_bool('verify', True, 'Decode the file and compare before it is kept.')
_OVERWRITE = flags.DEFINE_bool('overwrite', False, 'Replace OUTPUT if it is there.')


def main(argv: list[str]) -> None:
    """Compresses argv[1] into argv[2]."""
    _, source, out = argv
    preset = program.required(_PRESET)
    names, folder = archived_files.sources(source)
    files.check_output(out, ('.tfg',), _OVERWRITE.value, 'OUTPUT')
    preset_folder.find(preset, '--preset')
    program.start_tensorflow()
    from zoo.archives import codecs
    codecs.limit_instructions()
    from tfp_glow import coding  # Late: a wrong flag is reported at once.
    from tfp_glow.coding import container
    codec = coding.Codec(codecs.read_preset(preset).flow)
    single = pathlib.Path(source).is_file()
    batch = _batch(codec, folder / names[0] if single else None)
    sizes: list[int] = []

    def write(file: BinaryIO) -> None:
        show = progress.Progress('encoding')
        encoder = coding.Encoder(
            codec, file, container.ARRAY if single else container.FILES, batch,
            lambda tiles: show(f'{len(sizes)} of {len(names)} files, {tiles} tiles'))
        for name in names:
            array = archived_files.read(folder / name)
            try:
                encoder.add(array, '' if single else name)
            except ValueError as error:
                raise errors.UsageError(f'INPUT: {error} It is {str(folder / name)!r}.') from error
            sizes.append(array.size)
        encoder.finish()
        file.flush()
        if _VERIFY.value:
            _check_file(codec, file.name)
    files.write_whole(out, write)
    size = pathlib.Path(out).stat().st_size
    print(f'{out}: {len(names)} file{"s" * (len(names) > 1)}, '
          f'{codecs.speeds(codec, sum(sizes), size)}{", verified" * _VERIFY.value}')


def _check_file(codec: 'coding.Codec', path: str) -> None:
    """Decodes a file and compares the result with what was encoded.

    Raises:
        Failure: If it differs.
    """
    from tfp_glow import coding
    show = progress.Progress('verifying')
    with open(path, 'rb') as file:
        try:
            coding.Decoder(codec, file).check(lambda tiles: show(f'{tiles} tiles'))
        except coding.DecodingError as error:
            raise errors.Failure('this machine did not decode what it had encoded: '
                                 f'{error}') from error


def _batch(codec: 'coding.Codec', path: pathlib.Path | None) -> int:
    """Returns the number of tiles that the networks are given at once.

    Args:
        codec: The codec.
        path: The file to compress if there is only one, else None.

    Raises:
        UsageError: If --batch is too large, or the file does not suit the codec.
    """
    from tfp_glow.coding import container
    if _BATCH.value is not None:
        if _BATCH.value > container.MAX_BATCH:
            raise errors.UsageError(f'--batch must be in 1 .. {container.MAX_BATCH}; '
                                    f'got {_BATCH.value}.')
        return _BATCH.value
    if path is None:
        return codec.batch_for()
    try:
        return codec.batch_for([archived_files.read(path).shape])
    except ValueError as error:
        raise errors.UsageError(f'INPUT: {error} It is {str(path)!r}.') from error


if __name__ == '__main__':
    program.run(main, operands=('INPUT', 'OUTPUT'))
