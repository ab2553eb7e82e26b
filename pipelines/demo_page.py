"""The layout of the demo page, in Gradio. Nothing is computed here: see ``demo_answers``.

Gradio is an optional extra, imported by this module alone, whose importer sets Gradio's environment before.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from cologen.model.tasks import TASK_NAMES, TASKS, TaskName
from cologen.pictures.rgb import DAMAGED
from pipelines.demo_answers import Model, Request, answer
from pipelines.demo_examples import Example, examples

_LOG = logging.getLogger(__name__)
_STYLE = Path(__file__).with_suffix(".css")
_FONTS = ("system-ui", "sans-serif")
"""Of the system: a named one would be asked of a server."""
_THUMBNAIL = 64
"""Pixels of the longest side of a picture that an editor is given enlarged."""
_ENLARGED = 12
"""How often."""
_CANVAS = 32 * _ENLARGED
"""Pixels of the editor's side before it has a picture: a hole of an example is drawn twice where the two differ."""
_LONGEST_MESSAGE = 300
"""Characters of an error on the page."""

_TABS: Mapping[TaskName, tuple[str, str, str]] = MappingProxyType(
    {
        "inpaint": (
            "Inpainting",
            "Paint over a part of the picture: it is filled as the prompt says.",
            "a caption of the whole picture, or nothing",
        ),
        "grounding": (
            "Grounding",
            "Say which object is meant and how to mark it: with a frame, or covered, in a colour.",
            "Mark the fish on the right with a blue box.",
        ),
        "control": (
            "Control",
            "Give a map of edges, depth or classes: the result is a picture with this map, of what the prompt says.",
            "a caption of the picture",
        ),
        "customized": (
            "Customized",
            "Give a picture of a subject: it is drawn again in another scene, which the prompt describes.",
            "the star on the grass",
        ),
        "editing": (
            "Editing",
            "Say what is to be changed in the picture; the rest stays.",
            "Make the ring on the left black.",
        ),
    }
)
"""Of each task: its name on the page, the line that explains it, and what stands in an empty prompt."""

Settings = dict[str, Any]


def theme() -> gr.themes.Base:
    """Calm, and with fonts of the system, so that none is fetched."""
    return gr.themes.Base(
        primary_hue="blue", neutral_hue="slate", font=_FONTS, font_mono=("ui-monospace", "monospace"), radius_size="lg"
    )


def style() -> str:
    """The page's CSS."""
    return _STYLE.read_text()


def page(model: Model, name: str) -> gr.Blocks:
    """The page of a model, whose ``name`` stands under the title."""
    small = model.most_tokens is not None
    drawn = examples(32 if small else 256)
    with gr.Blocks(title="CoLoGen", analytics_enabled=False, fill_width=True) as blocks:
        gr.HTML(f"<h1>CoLoGen</h1><p>{name}</p>", elem_id="title", padding=False)
        with gr.Row(elem_id="board", elem_classes=["thumbnails"] if small else []):
            with gr.Column(scale=6, min_width=420):
                tabs = [_tab(task, drawn[task]) for task in TASK_NAMES]
                settings = _settings(model)
            with gr.Column(scale=5, min_width=380):
                result = gr.Image(
                    label="Result", height=400, format="png", interactive=False, elem_id="result",
                    buttons=["download", "fullscreen"],
                )  # fmt: skip
                summary = gr.Markdown(elem_id="summary")
                routing = gr.HTML(elem_id="routing", padding=False)
        for task, inputs, starts in tabs:
            gr.on(
                starts,
                partial(_respond, model, task),
                [*inputs, *settings],
                [result, summary, routing],
                concurrency_limit=1,
                concurrency_id="model",
                show_progress_on=[result],
                api_visibility="private",
            )
    return blocks


def _tab(task: TaskName, drawn: tuple[Example, ...]) -> tuple[TaskName, list[Any], list[Any]]:
    """A task's inputs, and the events that start it."""
    title, explanation, placeholder = _TABS[task]

    def chosen(event: gr.SelectData) -> tuple[Any, str]:
        example = drawn[event.index]
        return _shown(example), example.prompt

    with gr.Tab(title, id=task, elem_id=f"tab-{task}"):
        gr.Markdown(explanation, elem_classes=["explains"])
        picture = _readable(_editor() if TASKS[task].masked else _upload())
        prompt = gr.Textbox(label="Prompt", placeholder=placeholder, lines=1, max_lines=3)
        button = gr.Button("Generate", variant="primary")
        gr.Markdown("Or click an example:", elem_classes=["explains"])
        gallery = gr.Gallery(
            [each.picture for each in drawn], label="Examples", columns=len(drawn), rows=1, height="auto",
            allow_preview=False, format="png", object_fit="contain", buttons=[], interactive=False, show_label=False,
            elem_classes=["examples"],
        )  # fmt: skip
        gallery.select(chosen, None, [picture, prompt], show_progress="hidden", api_visibility="private")
        if TASKS[task].masked:
            picture.upload(_sharp, picture, picture, show_progress="hidden", api_visibility="private")
        else:
            picture.upload(_look, picture, None, show_progress="hidden", api_visibility="private")
    return task, [picture, prompt], [button.click, prompt.submit]


def _editor() -> gr.ImageEditor:
    brush = gr.Brush(default_size="auto", colors=["#808080"], default_color="#808080", color_mode="fixed")
    return gr.ImageEditor(
        label="Picture", type="pil", format="png", height=400,
        sources=("upload", "clipboard"), transforms=(), layers=False, brush=brush, buttons=[],
        canvas_size=(_CANVAS, _CANVAS), elem_classes=["source"],
    )  # fmt: skip


def _upload() -> gr.Image:
    return gr.Image(
        label="Picture", type="pil", image_mode=None, format="png", height=400, sources=["upload", "clipboard"],
        buttons=[], elem_classes=["source"],
    )  # fmt: skip


def _settings(model: Model) -> list[Any]:
    """What all tasks share, in the order of ``_respond``."""
    with gr.Accordion("Settings", open=False):
        with gr.Row():
            seed = gr.Number(0, label="Seed", precision=0, minimum=0)
            steps = gr.Slider(1, 100, model.pipeline.usual_steps, step=1, label="Steps")
            cfg = gr.Slider(1, 10, model.cfg, step=0.1, label="Guidance", info="Above 1 it takes twice the time.")
        with gr.Row():
            width = gr.Number(None, label="Width", precision=0, info="0: the picture's.")
            height = gr.Number(None, label="Height", precision=0, info="0: the picture's.")
            stage = gr.Dropdown(
                [("the task's own" if model.is_bundled and model.stage is None else "as opened", -1)]
                + [(str(number), number) for number in model.stages],
                value=-1,
                label="Stage",
                interactive=bool(model.stages),
            )
            strength = gr.Slider(
                0, 2, 1, step=0.05, label="Expert strength", info="0: the base alone.", interactive=bool(model.stages)
            )
    return [seed, steps, cfg, width, height, stage, strength]


def _shown(example: Example) -> Any:
    """What a picture's component shows of an example: of an editor also the hole, painted over."""
    if example.mask is None:
        return example.picture
    picture, mask = enlarged(example.picture), enlarged(example.mask)
    grey = Image.new("RGBA", picture.size, (128, 128, 128, 0))
    grey.putalpha(mask)
    composite = picture.convert("RGBA")
    composite.alpha_composite(grey)
    return {"background": picture, "layers": [grey], "composite": composite}


def _look(_picture: Any) -> None:
    """Nothing: what is wrong with an uploaded file is said when it is read for this."""


def _sharp(given: Any) -> Any:
    """What an editor shows of an uploaded thumbnail."""
    picture = None if given is None else given["background"]
    if picture is None or max(picture.size) > _THUMBNAIL:
        return gr.skip()
    return {"background": enlarged(picture), "layers": [], "composite": enlarged(picture)}


def _respond(
    model: Model, task: TaskName, given: Any, prompt: str,
    seed: int | None, steps: int, cfg: float, width: int | None, height: int | None, stage: int, strength: float,
    progress: gr.Progress = gr.Progress(),  # noqa: B008, by which Gradio knows that progress is reported
) -> tuple[Image.Image, str, str]:  # fmt: skip
    """What is shown for a click: picture, line and routing map."""
    picture, mask = _picture_and_mask(given)
    request = Request(
        task=task,
        picture=picture,
        mask=mask,
        prompt=prompt,
        seed=seed or 0,
        steps=steps,
        cfg=cfg,
        width=width or None,
        height=height or None,
        stage=None if stage < 0 else stage,
        strength=strength,
    )
    found = _said_in_the_page(lambda: answer(model, request, lambda done, total: progress((done, total), unit="steps")))
    return found.picture, found.summary, _explained(found.routing)


def _explained(routing: str) -> str:
    if not routing:
        return ""
    return (
        "<h3>Routing</h3><p>Which expert each block took for this picture: a column is a block, a row an expert, "
        f"on the right its share.</p>{routing}"
    )


def _picture_and_mask(given: Any) -> tuple[Image.Image | None, Image.Image | None]:
    """Of an editor the background, and white where something is painted on it."""
    if not isinstance(given, dict):
        return given, None
    background, layers = given["background"], given["layers"]
    if background is None or not layers:
        return background, None
    painted = np.max([np.asarray(layer.convert("RGBA"))[..., 3] for layer in layers], axis=0)
    return as_it_was(background.convert("RGB"), Image.fromarray((painted >= 128).astype(np.uint8) * 255))


def enlarged(picture: Image.Image) -> Image.Image:
    """A thumbnail with each pixel a square, as an editor would blur it; any other picture as it is."""
    if max(picture.size) > _THUMBNAIL:
        return picture
    return picture.resize((picture.width * _ENLARGED, picture.height * _ENLARGED), Image.Resampling.NEAREST)


def as_it_was(picture: Image.Image, mask: Image.Image) -> tuple[Image.Image, Image.Image]:
    """A picture and its mask before ``enlarged``: a pixel is in the hole if at least half of its square is."""
    small = picture.reduce(_ENLARGED)
    if enlarged(small).tobytes() != picture.tobytes():
        return picture, mask
    return small, mask.reduce(_ENLARGED).point([0] * 128 + [255] * 128)


def _readable(component: Any) -> Any:
    """The component, whose errors in reading a file are said in the page.

    Gradio opens uploaded files before any function of ours is called, and has no other place for it.
    """
    read: Callable[[Any], Any] = component.preprocess
    component.preprocess = lambda payload: _said_in_the_page(lambda: _opened(read, payload))
    return component


def _opened(read: Callable[[Any], Any], payload: Any) -> Any:
    try:
        found = read(payload)
        if isinstance(found, Image.Image):
            found.load()
    except gr.Error:
        raise
    except (*DAMAGED, Image.DecompressionBombError) as error:
        raise ValueError("This file is not a picture that can be read: take a PNG, JPEG or WebP.") from error
    return found


def _said_in_the_page(work: Callable[[], Any]) -> Any:
    """What ``work`` returns. A mistake of the user is a message; anything unforeseen one too, and is logged."""
    try:
        return work()
    except gr.Error:
        raise
    except ValueError as error:
        raise gr.Error(str(error)[:_LONGEST_MESSAGE], title="Not yet", print_exception=False) from error
    except Exception as error:
        _LOG.exception("unforeseen")
        words = f"Something unforeseen went wrong ({type(error).__name__}): the terminal has the details."
        raise gr.Error(words, print_exception=False) from error
