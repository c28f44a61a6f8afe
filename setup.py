"""Packaging of tfp_glow and its zoo."""

import pathlib
import re

import setuptools

_HERE = pathlib.Path(__file__).parent
_VERSION = re.search(r"__version__ = '(.*)'",
                     (_HERE / 'tfp_glow' / '__init__.py').read_text()).group(1)

setuptools.setup(
    name='tfp-glow',
    version=_VERSION,
    description='Image flows for TensorFlow Probability, on Keras 3, with a model zoo.',
    long_description=(_HERE / 'README.md').read_text(),
    long_description_content_type='text/markdown',
    license_expression='Apache-2.0',
    license_files=['LICENSE'],
    packages=setuptools.find_packages(include=['tfp_glow', 'tfp_glow.*', 'zoo', 'zoo.*']),
    package_data={'tfp_glow': ['py.typed'],
                  'zoo': ['py.typed', 'presets/*/*', 'flagfiles/*.flags']},
    python_requires='>=3.11',
    install_requires=[
        'absl-py>=2.1',
        'constriction~=0.5.0',  # Entropy coder: files are written in the format of its version.
        'importlib_resources>=6.0',  # tensorflow-datasets imports it and does not declare it.
        'keras>=3.15',  # Before, sampling a pixel_vae aborts: memory is corrupt (TF 2.18 to 2.20).
        'matplotlib>=3.9',
        'numpy>=2.0',
        'pillow>=11.0',
        'scikit-learn>=1.5',  # The embedded data sets' images.
        'scipy>=1.14',
        'tensorboard>=2.18',  # tf.summary needs it; TensorFlow 2.21 does not install it.
        'tensorflow>=2.18',
        'tensorflow-datasets>=4.9.7',
        # tensorflow-datasets imports it. From 1.21 on its generated code needs protobuf 6.31, which
        # it does not declare and TensorFlow before 2.20 does not allow.
        'tensorflow-metadata~=1.17.0',
        'tensorflow-probability>=0.25',
        'tf_keras>=2.18',  # TensorFlow Probability imports it.
    ],
    extras_require={
        'test': ['hypothesis>=6.100', 'mypy>=1.14', 'pytest>=8.0', 'pytest-xdist>=3.6.1',
                 'ruff>=0.9'],
        'bench': ['imagecodecs>=2026.1', 'normflows>=1.7', 'torch>=2.4'],
        'gpu': ['tensorflow[and-cuda]>=2.18'],
    },
    classifiers=[
        'Development Status :: 4 - Beta',
        'Intended Audience :: Developers',
        'Intended Audience :: Science/Research',
        'Operating System :: POSIX :: Linux',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Programming Language :: Python :: 3.13',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
        'Typing :: Typed',
    ],
)
