"""Changes images by changing their latents, or by ascending their density: the latent tools.

Each tool takes a flow, a `tfd.TransformedDistribution` over images `[H, W, C]`, and images as its
data: `[B, H, W, C]` of its dtype, in [-1/2, 1/2). What a tool returns is not clipped to that range,
except by `inpaint`; `dequantization.quantize` makes integer images of it. `condition=` is given to
the flow, as in `flow.log_prob(images, condition=...)`; its batch is that of the images.
"""

from tfp_glow.editing.attributes import attribute_direction, edit
from tfp_glow.editing.inpainting import Inpainting, inpaint
from tfp_glow.editing.levels import reconstruct, resample, temperature_sweep
from tfp_glow.editing.paths import interpolate, traverse

__all__ = ['Inpainting', 'attribute_direction', 'edit', 'inpaint', 'interpolate', 'reconstruct',
           'resample', 'temperature_sweep', 'traverse']
