"""Scores that tell images from those a model was trained on, and how well they do.

A likelihood alone tells little: a flow can give images of another kind fewer bits than its own
(Nalisnick et al., 2019, arXiv:1810.09136). Every score here is high for a strange image.
"""

import dataclasses
import io
import lzma
import math
import zlib
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image
from sklearn import metrics

CONFIDENCE = .99  # Of the typicality test.
_BOOTSTRAPS = 10_000


@dataclasses.dataclass(frozen=True)
class Typicality:
    """The test of whether images are as likely as typical ones, neither less nor more.

    ```none
    strange if |mean over M images of -log p(x) - H| > epsilon_M
    ```

    H is the mean of -log p over training images; epsilon_M is the .99 quantile of the left side
    over groups of M images, drawn with replacement from validation images.

    Attributes:
        entropy: H, in nats.
        standard_error: The standard error of H.
        epsilons: `{M: epsilon_M}`, in nats.

    #### References
    Nalisnick, Matsukawa, Teh and Lakshminarayanan, *Detecting out-of-distribution inputs to deep
    generative models using typicality*, 2019, arXiv:1906.02994, algorithm 1.
    """

    entropy: float
    standard_error: float
    epsilons: dict[int, float]

    @classmethod
    def fit(cls, train: np.ndarray, validation: np.ndarray, groups: Sequence[int] = (1, 10),
            seed: int = 0) -> 'Typicality':
        """Returns the test that fits two splits.

        Args:
            train: -log p of training images, in nats, [N].
            validation: -log p of validation images, in nats, [N].
            groups: The numbers of images in a group.
            seed: The seed of the groups that are drawn.

        Raises:
            ValueError: If there are fewer than 2 training images, no validation images, or one
                without a finite likelihood.
        """
        train, validation = _finite('train', train, 2), _finite('validation', validation, 1)
        entropy = float(train.mean())
        generator = np.random.default_rng(seed)
        epsilons = {}
        for size in groups:
            drawn = generator.integers(len(validation), size=(_BOOTSTRAPS, size))
            epsilons[size] = float(np.quantile(
                np.abs(validation[drawn].mean(1) - entropy), CONFIDENCE))
        return cls(entropy, float(train.std(ddof=1) / math.sqrt(len(train))), epsilons)

    def score(self, nats: np.ndarray) -> np.ndarray:
        """Returns |-log p(x) - H| of each image, [N], from -log p(x) in nats."""
        return np.abs(nats - self.entropy)

    def rejected(self, nats: np.ndarray, size: int, seed: int = 0) -> float:
        """Returns the share of groups of images that the test calls strange.

        Groups share no image; which images form a group is drawn at random. Images that do not fill
        the last group are left out.

        Args:
            nats: -log p of the images, [N].
            size: The number of images in a group, one of those that the test was fitted for.
            seed: The seed of the groups.

        Raises:
            ValueError: If there are too few images for one group.
        """
        count = len(nats) // size
        if not count:
            raise ValueError(f'nats must hold {size} images or more; got {len(nats)}.')
        order = np.random.default_rng(seed).permutation(len(nats))[:count * size]
        means = np.reshape(nats[order], (count, size)).mean(1)
        return float(np.mean(self.score(means) > self.epsilons[size]))


def likelihood_ratio(bits: np.ndarray, other_bits: np.ndarray) -> np.ndarray:
    """Returns the flow's bits less those of a model that knows how complex an image is, [N].

    That model is a compressor (Serra et al., 2020, arXiv:1909.11480, equation 2), or a model of
    the background (Ren et al., 2019, arXiv:1906.02845, equation 2). Common detail costs both of
    them bits and cancels; what stays is what the flow alone knows of its data.
    """
    return bits - other_bits


def compressed_bits(images: np.ndarray, compressor: str) -> np.ndarray:
    """Returns the number of bits of each image's file, [N].

    Args:
        images: uint8 [N, H, W, C], 1 or 3 channels.
        compressor: A name in `COMPRESSORS`.
    """
    return np.array([8. * len(COMPRESSORS[compressor](image)) for image in images])


def auroc(own: np.ndarray, other: np.ndarray) -> float:
    """Returns the chance that an image of `other` has a higher score than one of `own`.

    A tie counts half. This is the area under the receiver operating characteristic of the score:
    1 for a detector that never errs, 1/2 for one that knows nothing, less for one that is misled.
    A score that is no number counts as the highest.
    """
    scores = np.nan_to_num(np.concatenate([own, other]).astype(np.float64),
                           nan=np.finfo(np.float64).max)
    strange = np.repeat([0, 1], [len(own), len(other)])
    return float(metrics.roc_auc_score(strange, scores))


def _png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(
        file, format='PNG', optimize=True)
    return file.getvalue()


def _lzma(image: np.ndarray) -> bytes:
    # The raw format: sizes of the container format are multiples of four bytes.
    return lzma.compress(image.tobytes(), lzma.FORMAT_RAW,
                         filters=[{'id': lzma.FILTER_LZMA2, 'dict_size': 2**16}])


COMPRESSORS: dict[str, Callable[[np.ndarray], bytes]] = {
    'png': _png, 'zlib': lambda image: zlib.compress(image.tobytes(), 9), 'lzma': _lzma}


def _finite(name: str, nats: np.ndarray, least: int) -> np.ndarray:
    nats = np.asarray(nats, np.float64)
    wrong = np.count_nonzero(~np.isfinite(nats))
    if len(nats) < least or wrong:
        raise ValueError(f'{name} must hold {least} images or more, all of finite likelihood; got '
                         f'{len(nats)}, {wrong} of them without.')
    return nats
