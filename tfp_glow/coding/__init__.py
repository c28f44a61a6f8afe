"""Lossless coding of images by integer flows.

`encode(images, model)` returns bytes, and `decode(data, model)` returns the same images, bit for
bit. A program that codes more than once makes a `Codec`, which traces its functions only once.
`Encoder` and `Decoder` are for files that do not fit in memory. The module `container` describes
the file format.
"""

import numpy as np

from tfp_glow.coding.codec import Codec
from tfp_glow.coding.container import DecodingError, fingerprint
from tfp_glow.coding.model import IntegerModel
from tfp_glow.coding.streams import Decoder, Encoder

__all__ = ['Codec', 'Decoder', 'DecodingError', 'Encoder', 'decode', 'encode', 'fingerprint']


def encode(images: np.ndarray | list[np.ndarray] | tuple[np.ndarray, ...], model: IntegerModel,
           verify: bool = True) -> bytes:
    """Returns images as the bytes of a `.tfg` file.

    `Codec.encode` describes what is accepted and which errors are raised.

    Args:
        images: A uint8 array `[H, W]`, `[H, W, C]`, `[N, H, W]` or `[N, H, W, C]` with C = 1 or 3,
            or a list of such arrays.
        model: A `tfp_glow.flows.IntegerFlow`.
        verify: Whether to decode the bytes and to compare the result with the images.

    Returns:
        The bytes of the file.

    ```python
    >>> import numpy as np, tfp_glow
    >>> model = tfp_glow.flows.idf((4, 4, 1), levels=1, steps_per_level=1, width=4, depth=1)
    >>> image = np.arange(35, dtype=np.uint8).reshape([5, 7])
    >>> data = tfp_glow.coding.encode(image, model)
    >>> np.array_equal(tfp_glow.coding.decode(data, model), image)
    True

    ```
    """
    return Codec(model).encode(images, verify=verify)


def decode(data: bytes,
           model: IntegerModel) -> np.ndarray | list[np.ndarray] | dict[str, np.ndarray]:
    """Returns the images that `encode` was given.

    `Codec.decode` describes what is returned and which errors are raised.

    Args:
        data: The bytes of a `.tfg` file.
        model: The model that encoded the images.
    """
    return Codec(model).decode(data)
