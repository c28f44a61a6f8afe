"""Conditioner networks in Keras 3. They know Keras and nothing of flows.

A network may have a method `initialize(inputs)`, which sets data-dependent weights once and
remembers in a weight that it has done so.
"""

from tfp_glow.networks.condition import ConditionBias
from tfp_glow.networks.conv import ConvNetwork, conv_network
from tfp_glow.networks.conv_autoencoder import (
    ConvDecoder,
    ConvEncoder,
    conv_decoder,
    conv_encoder,
)
from tfp_glow.networks.dense_autoencoder import dense_decoder, dense_encoder
from tfp_glow.networks.densenet import DenseNetwork, dense_network
from tfp_glow.networks.gated_attention import GatedAttentionNetwork, gated_attention_network
from tfp_glow.networks.gated_block import GatedBlock
from tfp_glow.networks.gated_pixelcnn import GatedPixelCNN, gated_pixelcnn
from tfp_glow.networks.ladder import LadderDown, LadderMerge, LadderUp, ladder_layer
from tfp_glow.networks.made import MaskedDense, MaskedDenseNetwork, made
from tfp_glow.networks.masked_conv import MaskedConv2D, MaskedConvNetwork, masked_conv
from tfp_glow.networks.mlp import MLPNetwork, mlp
from tfp_glow.networks.past_conv import PastConv2D
from tfp_glow.networks.resampled_conv import ResampledConv2D, resampled_conv
from tfp_glow.networks.resnet import ResidualNetwork, residual_network
from tfp_glow.networks.scaled_conv import ScaledConv2D
from tfp_glow.networks.weight_norm import WeightNormConv2D

__all__ = ['ConditionBias', 'ConvDecoder', 'ConvEncoder', 'ConvNetwork', 'DenseNetwork',
           'GatedAttentionNetwork', 'GatedBlock', 'GatedPixelCNN', 'LadderDown', 'LadderMerge',
           'LadderUp', 'MLPNetwork', 'MaskedConv2D', 'MaskedConvNetwork', 'MaskedDense',
           'MaskedDenseNetwork', 'PastConv2D', 'ResampledConv2D', 'ResidualNetwork', 'ScaledConv2D',
           'WeightNormConv2D', 'conv_decoder', 'conv_encoder', 'conv_network', 'dense_decoder',
           'dense_encoder', 'dense_network', 'gated_attention_network', 'gated_pixelcnn',
           'ladder_layer', 'made', 'masked_conv', 'mlp', 'resampled_conv', 'residual_network']
