"""``python -m pipelines.generate --prompt "…" --task edit --image in.png --adapter DIR --out out.png``."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from PIL import Image

from cologen.datagen.usage import require_picture, require_range
from cologen.model.opening import fetched_base
from cologen.model.tasks import TASKS, task_named
from cologen.model.world_base import packaged_stage
from cologen.pictures.rgb import DAMAGED
from pipelines.console import CONSOLE, run
from pipelines.pipeline_options import PipelineOptions

_SIZE = re.compile(r"([1-9]\d*)x([1-9]\d*)")
_LAST_SEED = 2**64
"""Where torch's seeds end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(PipelineOptions):
    """Generate an image from a prompt, or for a task, from an image.

    Without --base the base is a small one, trained on the synthetic dataset: the bundled one, or --weights.
    """

    out: Path
    """Where the picture goes (.png, .jpg …). Several are numbered: out-0.png, out-1.png."""
    prompt: str | None = None
    """What is to be drawn or done. Only inpainting can go without."""
    task: str | None = None
    """inpaint, grounding, control, customized or editing; needed with --image, unless there is a --strength."""
    image: tuple[Path, ...] = ()
    """The picture to be filled, marked or edited, the condition, or the subject. Several are seen side by side."""
    mask: Path | None = None
    """For inpainting: white where the hole is, in the image's size."""
    negative: str | None = None
    """What is not to be drawn: guidance leads away from it (--true-cfg). Default for a base that has guidance by
    default: the empty prompt."""
    seed: int = 0
    """Decides the noise that the picture begins with."""
    steps: int | None = None
    """Denoising steps. Default: what the base's authors use."""
    guidance: float | None = None
    """For bases that were distilled with it. Default: what the base's authors use; Krea, which looks like dev, wants
    4.5."""
    true_cfg: float | None = None
    """Scale of classifier-free guidance against --negative, at twice the time. Default: 1.5 for a small base, which
    draws more of what is asked so; 4 for FLUX.2 klein's base models and Qwen-Image, as their authors use; 1, which is
    none, for any other --base."""
    size: str | None = None
    """WIDTHxHEIGHT in pixels. Default: the image's, shrunk to the base's usual area."""
    num: int = 1
    """How many pictures."""
    strength: float = 1.0
    """Below 1, start from the --image with noise on it, and take only this share of the steps. Without a --task the
    base does so alone."""
    crop_padding: int | None = None
    """Inpainting: generate only the part around the hole, with so many pixels of padding, at full size, and put the
    hole back into the image."""
    paste_known: bool = False
    """Inpainting: put the image's own pixels back around the hole."""

    def __post_init__(self) -> None:
        PipelineOptions.__post_init__(self)  # with slots, super() is not there
        require_range(self, "num", "steps", least=1)
        require_range(self, "guidance", "crop_padding", least=0)
        require_range(self, "strength", above=0, most=1)
        require_range(self, "true_cfg", least=1)
        require_range(self, "seed", least=0, most=_LAST_SEED - self.num)
        if self.size is not None and _SIZE.fullmatch(self.size) is None:
            raise ValueError(f"--size is WIDTHxHEIGHT in pixels, such as 1024x768, got {self.size!r}")
        self._refuse_useless()
        self._refuse_lacking()
        require_picture(self, "out")

    def _refuse_useless(self) -> None:
        """Refuse options that would be ignored."""
        if self.base is None and self.guidance is not None:
            raise ValueError("--guidance is for a --base that was distilled with it: a small base takes --true-cfg")
        if self.guidance is not None and not self.base_is_flux1:
            raise ValueError(
                "--guidance is for a --base that was distilled with it: FLUX.2 klein and Qwen-Image take --true-cfg"
            )
        if self.stage is not None and self.chosen_adapter is None:
            raise ValueError("--stage is one of an adapter's: give its folder with --adapter")
        if self.negative is not None and self.guidance_against[0] <= 1:
            raise ValueError("--negative works with a --true-cfg above 1: give both, or none of them")
        if self.true_cfg is not None and self.true_cfg > 1 and self.guidance_against[1] is None:
            raise ValueError('--true-cfg above 1 leads away from a --negative: say which ("" is one)')
        if self.paste_known and self.mask is None:
            raise ValueError("--paste-known keeps what is around a hole: give the --mask of one")
        if self.paste_known and self.crop_padding is not None:
            raise ValueError("--crop-padding keeps what is around the hole by itself: leave --paste-known out")
        if self.crop_padding is not None and (self.mask is None or len(self.image) > 1):
            raise ValueError("--crop-padding is for the hole in one --image: give that and its --mask")

    def _refuse_lacking(self) -> None:
        """Refuse a call that lacks what its task needs, or gives what it does not take."""
        task = None if self.task is None else task_named(self.task)
        if self.strength < 1 and not self.image:
            raise ValueError("--strength starts from an --image: give one")
        if self.strength < 1 and task is not None and not task.resembles:
            raise ValueError(f"--strength is for results that resemble the --image: --task {task.name} takes none")
        if task is None and self.image and self.strength == 1:
            raise ValueError(
                f"say what the --image is for: --task is one of {', '.join(TASKS)}, or a --strength below 1 starts "
                "from it"
            )
        if task is not None and not self.image:
            raise ValueError(f"--task {task.name} needs an --image")
        if task is not None and task.masked and self.mask is None:
            raise ValueError(f"--task {task.name} needs a --mask beside the --image")
        if self.mask is not None and not (task and task.masked):
            raise ValueError("--mask is for --task inpaint")
        if self.prompt is None and not (task and task.wordless):
            raise ValueError("say with --prompt what is to be drawn: only inpainting can go without")

    @property
    def chosen_adapter(self) -> Path | None:
        """The adapter that is given, or the bundled one where the bundled base draws from a picture."""
        return self.adapter_for_pictures if self.task is not None else self.adapter

    @property
    def chosen_stage(self) -> int | None:
        """The stage that is given, or of the bundled adapter that of the task; None: the newest."""
        if self.stage is None and self.adapter is None and self.chosen_adapter is not None and self.task is not None:
            return packaged_stage(task_named(self.task).name)
        return self.stage

    @property
    def guidance_against(self) -> tuple[float, str | None]:
        """Scale and negative prompt of classifier-free guidance, as given or by default."""
        scale = self.usual_cfg if self.true_cfg is None else self.true_cfg
        return scale, "" if self.negative is None and min(self.usual_cfg, scale) > 1 else self.negative

    @property
    def width_and_height(self) -> tuple[int | None, int | None]:
        """As asked; None where it is not."""
        found = _SIZE.fullmatch(self.size or "")
        return (int(found[1]), int(found[2])) if found else (None, None)


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run(Options, _generate, args)


def _generate(options: Options) -> int:
    """Read what is given, draw, and say where the pictures are."""
    images = [_open(path) for path in options.image]
    mask = None if options.mask is None else _open(options.mask)
    if options.base is not None:
        options = replace(options, base=fetched_base(options.base))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    pipeline = options.opened(options.chosen_adapter, options.chosen_stage)
    if options.task is not None and options.chosen_adapter is None:
        CONSOLE.print("No adapter: nothing has been learned about the picture, and the base alone looks at it.")
    width, height = options.width_and_height
    true_cfg, negative = options.guidance_against
    pictures = pipeline(
        options.prompt,
        image=images or None,
        mask=mask,
        task=options.task,
        width=width,
        height=height,
        negative_prompt=negative,
        true_cfg_scale=true_cfg,
        guidance_scale=options.guidance,
        num_inference_steps=options.steps,
        num_images_per_prompt=options.num,
        generator=[torch.Generator().manual_seed(options.seed + number) for number in range(options.num)],
        strength=options.strength,
        padding_mask_crop=options.crop_padding,
        paste_known=options.paste_known,
        return_dict=False,
    )
    for number, picture in enumerate(pictures[0]):
        path = options.out if options.num == 1 else options.out.with_stem(f"{options.out.stem}-{number}")
        picture.save(path)
        fitted = options.size and options.crop_padding is None and picture.size != (width, height)
        asked = f", {width}x{height} made to fit the base" if fitted else ""
        CONSOLE.print(f"wrote {path} ({picture.width}x{picture.height}{asked})")
    return 0


def _open(path: Path) -> Image.Image:
    """A decoded picture, as stored; the pipeline interprets it (EXIF, transparency)."""
    if not path.is_file():
        raise FileNotFoundError(f"no picture at {path}")
    try:
        with Image.open(path) as image:
            return image.copy()
    except (*DAMAGED, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} is not a picture that can be read: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
