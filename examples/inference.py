"""Generate images with the bundled base: ``python examples/inference.py``. FLUX takes the same call."""

import torch

from cologen.model.bundle import build
from cologen.model.pipeline import CoLoGenPipeline
from cologen.model.presets import preset
from cologen.model.world_base import packaged_base

pipe = CoLoGenPipeline.from_bundle(build(preset("world-tiny"), weights=packaged_base("world-tiny")))
# With a trained run: pipe.load_adapter("runs/world/adapter"), then pipe(prompt, image=picture, task="editing").
# With FLUX: CoLoGenPipeline.from_pretrained("FLUX.1-dev", dtype=torch.bfloat16).to("cuda")
images = pipe("a red circle on green grass", generator=torch.Generator().manual_seed(0)).images
images[0].resize((256, 256)).save("generated.png")
