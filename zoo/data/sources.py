"""Finds data sets by name as TFDS builders, and prepares them where that is possible."""

import concurrent.futures
import socket
import urllib.parse
import urllib.request

import tensorflow_datasets as tfds

from zoo.cli import errors
from zoo.data import densities, embedded, folders

_HINT = 'any image data set of TensorFlow Datasets by its name'
_LOOKUP_SECONDS = 10  # For all hosts of a data set together.


def names() -> tuple[str, ...]:
    """Returns what `--dataset` accepts: the embedded sets, then a hint about all others."""
    return (*embedded.BUILDERS, _HINT)


def find_builder(name: str, data_dir: str | None = None) -> tfds.core.DatasetBuilder:
    """Returns the TFDS builder of the data set `name`; an embedded set is prepared as well.

    Any other set is looked for in `data_dir` (default: $TFDS_DATA_DIR, else ~/tensorflow_datasets)
    and may not be there yet: see `require_prepared`.

    Raises:
        UsageError: If `name` is unknown.
    """
    if name in embedded.BUILDERS:
        return embedded.prepared_builder(name, data_dir)
    folder = folders.expand(data_dir) if data_dir else folders.default_folders()[0]
    try:
        builder = tfds.builder(name, data_dir=str(folder))
    except Exception as error:  # TFDS raises many kinds of errors for a name that it cannot read.
        there = sorted({p.relative_to(folder).parts[0] for p in folder.glob('*/*/features.json')})
        known = ', '.join(dict.fromkeys([*embedded.BUILDERS, *there]))
        unknown = isinstance(error, tfds.core.DatasetNotFoundError)
        raise errors.UsageError(
            f'--dataset must be one of {known}, or {_HINT} (with --data_dir where it is prepared); '
            f'got {name!r}' + (f'.{errors.did_you_mean(name, _all_names(there))}' if unknown
                               else f' ({_first_line(error)}).')) from error
    if builder.data_path.exists() or ':' in name:
        return builder
    # TFDS looks for the version of its own code only, but older data on disk serve as well.
    others = sorted(builder.data_path.parent.glob('*.*.*/features.json'),
                    key=lambda p: tfds.core.Version(p.parent.name))
    return tfds.builder_from_directory(others[-1].parent) if others else builder


def _all_names(prepared: list[str]) -> list[str]:
    """Returns the names of all data sets that might have been meant."""
    return [*embedded.BUILDERS, *densities.NAMES, *prepared,
            *tfds.list_builders(with_community_datasets=False)]


def require_prepared(builder: tfds.core.DatasetBuilder) -> None:
    """Lets TFDS download and prepare what is not there yet, unless there is no network.

    Raises:
        UsageError: If the data are absent and cannot be had.
    """
    if builder.data_path.exists():
        return
    name, folder = builder.name, folders.expand(builder.data_dir_root)
    absent = f'--dataset={name} is not prepared in --data_dir={folder}'
    advice = (f'pass the --data_dir where TFDS has prepared it, or use '
              f'--dataset={" or ".join(embedded.BUILDERS)}, which need no network.')
    if not folders.is_writable(folder):
        raise errors.UsageError(f'{absent}, which cannot be written to download it: {advice}')
    if not _reachable(builder):
        raise errors.UsageError(f'{absent}, and there is no network to download it: {advice}')
    config = tfds.download.DownloadConfig(try_download_gcs=False)
    try:
        builder.download_and_prepare(download_config=config)
    except Exception as error:
        raise errors.UsageError(
            f'{absent}, and preparing it failed ({_first_line(error)}): {advice}') from error


def _reachable(builder: tfds.core.DatasetBuilder) -> bool:
    """Returns False if the name of no host that serves the data can be looked up.

    TFDS itself would retry for over three minutes. The result is True if nothing can be told: if
    the addresses are not known beforehand (of a user's own builder), or a proxy does the looking
    up.
    """
    hosts = {urllib.parse.urlsplit(url).hostname for url in builder.url_infos or ()} - {None}
    if not hosts or urllib.request.getproxies():
        return True
    pool = concurrent.futures.ThreadPoolExecutor(max_workers=8)
    lookups = [pool.submit(socket.getaddrinfo, host, None) for host in sorted(hosts)]
    try:
        finished = concurrent.futures.as_completed(lookups, timeout=_LOOKUP_SECONDS)
        return any(lookup.exception() is None for lookup in finished)
    except concurrent.futures.TimeoutError:
        return False
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0] if len(lines[0]) <= 160 else lines[0][:157] + '...'
