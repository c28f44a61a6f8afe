"""Lossless coding of images by integer flows.

`encode(images, model)` gives bytes, `decode(data, model)` the images, bit for bit. Whoever codes
more than once makes a `Codec`, whose functions are traced once; files that do not fit in memory go
through `Encoder` and `Decoder`. The format is described in `container`.
"""

from tfp_glow.coding.codec import Codec
from tfp_glow.coding.container import DecodingError, fingerprint
from tfp_glow.coding.streams import Decoder, Encoder

__all__ = ['Codec', 'Decoder', 'DecodingError', 'Encoder', 'decode', 'encode', 'fingerprint']


def encode(images, model, verify=True):
    """Images as the bytes of a `.tfg` file; `Codec.encode` says what is taken and raised.

    Args:
        images: uint8 `[H, W]`, `[H, W, C]`, `[N, H, W]` or `[N, H, W, C]` with C = 1 or 3, or a
            list of such arrays.
        model: a `tfp_glow.flows.IntegerFlow`.
        verify: whether to decode the bytes and to compare.

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


def decode(data, model):
    """The images that `encode` was given; `Codec.decode` says what is raised.

    Args:
        data: bytes.
        model: the model that encoded.
    """
    return Codec(model).decode(data)
