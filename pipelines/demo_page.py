"""The layout of the demo page, in Gradio. Nothing is computed here: see ``demo_answers``.

Gradio is an optional extra, imported by this module alone, whose importer sets Gradio's environment before.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import gradio as gr
from PIL import Image

from cologen.model.tasks import TASK_NAMES, TASKS, TaskName
from cologen.pictures.rgb import DAMAGED
from pipelines.demo_answers import Model, Request, answer, seed_in
from pipelines.demo_examples import Example, examples
from pipelines.demo_pictures import ENLARGED, THUMBNAIL, Size, enlarged, picture_and_mask
from pipelines.demo_turns import Stopped

_LOG = logging.getLogger(__name__)
_STYLE = Path(__file__).with_suffix(".css")
_SCRIPT = Path(__file__).with_suffix(".js")
_FONTS = ("system-ui", "sans-serif")
"""Of the system: a named one would be asked of a server."""
_CANVAS = 32 * ENLARGED
"""Pixels of the editor's side before it has a picture: a hole of an example is drawn twice where the two differ."""
Shown = tuple[Image.Image | None, str, str]
"""Result, summary and routing map."""
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

_NOTHING: Shown = (None, "", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tab:
    """Of one task, with what starts a drawing, and the inputs of ``_respond`` that are its own."""

    task: TaskName
    tab: gr.Tab
    inputs: list[Any]
    starts: list[Any]
    generate: gr.Button
    stop: gr.Button


def launched(blocks: gr.Blocks, host: str, port: int) -> None:
    """Serve the page, in threads of its own."""
    blocks.launch(
        server_name=host,
        server_port=port,
        share=False,
        quiet=True,
        prevent_thread_lock=True,
        footer_links=[],
        ssr_mode=False,
        mcp_server=False,
        max_file_size="32mb",
        theme=_theme(),
        css=_STYLE.read_text(),
        head=f"<script>{_SCRIPT.read_text()}</script>",
    )


def _theme() -> gr.themes.Base:
    """Calm, and with fonts of the system, so that none is fetched."""
    return gr.themes.Base(
        primary_hue="blue", neutral_hue="slate", font=_FONTS, font_mono=("ui-monospace", "monospace"), radius_size="lg"
    )


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
        for each in tabs:
            _connect(model, each, settings, [result, summary, routing])
    return blocks


def _connect(model: Model, tab: _Tab, settings: list[Any], shown: list[Any]) -> None:
    """From a click to what is ``shown``, of which nothing stays from the drawing before."""
    quick: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    buttons = [tab.generate, tab.stop]
    begun = gr.on(tab.starts, lambda: (*_NOTHING, *_buttons(drawing=True)), None, [*shown, *buttons], **quick)
    drawn = begun.then(
        partial(_respond, model, tab.task),
        [*tab.inputs, *settings],
        shown,
        concurrency_limit=1,
        concurrency_id="model",
        show_progress_on=[shown[0]],
        api_visibility="private",
    )
    for over in (drawn.success, drawn.failure):  # a picture that cannot be read fails before ``_respond``
        over(lambda: _buttons(drawing=False), None, buttons, **quick)
    tab.stop.click(model.turns.stop, None, None, **quick)
    tab.tab.select(lambda: _NOTHING, None, shown, **quick)


def _buttons(*, drawing: bool) -> tuple[Any, Any]:
    """Generate, and in its place while a picture is drawn Stop."""
    return gr.update(visible=not drawing), gr.update(visible=drawing)


def _tab(task: TaskName, drawn: tuple[Example, ...]) -> _Tab:
    title, explanation, placeholder = _TABS[task]

    def chosen(event: gr.SelectData) -> tuple[Any, str, Size | None]:
        example = drawn[event.index]
        return _shown(example), example.prompt, example.picture.size

    with gr.Tab(title, id=task, elem_id=f"tab-{task}") as tab:
        gr.Markdown(explanation, elem_classes=["explains"])
        picture = _readable(_editor() if TASKS[task].masked else _upload())
        thumbnail = gr.State()  # the size of the picture that the editor was given enlarged
        prompt = gr.Textbox(label="Prompt", placeholder=placeholder, lines=1, max_lines=3)
        generate = gr.Button("Generate", variant="primary")
        stop = gr.Button("Stop", visible=False)
        gr.Markdown("Or click an example:", elem_classes=["explains"])
        gallery = gr.Gallery(
            [each.picture for each in drawn], label="Examples", columns=len(drawn), rows=1, height="auto",
            allow_preview=False, format="png", object_fit="contain", buttons=[], interactive=False, show_label=False,
            elem_classes=["examples"],
        )  # fmt: skip
        gallery.select(chosen, None, [picture, prompt, thumbnail], show_progress="hidden", api_visibility="private")
        if TASKS[task].masked:
            picture.upload(_sharp, picture, [picture, thumbnail], show_progress="hidden", api_visibility="private")
            picture.clear(lambda: None, None, thumbnail, show_progress="hidden", api_visibility="private")
        else:
            picture.upload(_look, picture, None, show_progress="hidden", api_visibility="private")
    return _Tab(
        task=task,
        tab=tab,
        inputs=[picture, prompt, thumbnail],
        starts=[generate.click, prompt.submit],
        generate=generate,
        stop=stop,
    )


def _editor() -> gr.ImageEditor:
    brush = gr.Brush(default_size="auto", colors=["#808080"], default_color="#808080", color_mode="fixed")
    return gr.ImageEditor(
        label="Picture", type="pil", format="png", height=400,
        sources=("upload", "clipboard"), transforms=(), layers=False, brush=brush, buttons=[],
        canvas_size=(_CANVAS, _CANVAS), elem_classes=["source", "editor"],
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
            seed = gr.Textbox("0", label="Seed", max_lines=1)  # a browser's numbers are exact up to 2⁵³ alone
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


def _sharp(given: Any) -> tuple[Any, Size | None]:
    """What an editor shows of an uploaded thumbnail, and its size; None: the picture is no thumbnail."""
    picture = None if given is None else given["background"]
    if picture is None or max(picture.size) > THUMBNAIL:
        return gr.skip(), None
    return {"background": enlarged(picture), "layers": [], "composite": enlarged(picture)}, picture.size


def _respond(
    model: Model, task: TaskName, given: Any, prompt: str, thumbnail: Size | None,
    seed: str, steps: int, cfg: float, width: int | None, height: int | None, stage: int, strength: float,
    progress: gr.Progress = gr.Progress(),  # noqa: B008, by which Gradio knows that progress is reported
) -> Shown:  # fmt: skip
    """What is shown for a click."""

    def drawn() -> Shown:
        picture, mask = picture_and_mask(given, thumbnail)
        request = Request(
            task=task,
            picture=picture,
            mask=mask,
            prompt=prompt,
            seed=seed_in(seed),
            steps=steps,
            cfg=cfg,
            width=width or None,
            height=height or None,
            stage=None if stage < 0 else stage,
            strength=strength,
        )
        found = answer(model, request, lambda done, total: progress((done, total), unit="steps"))
        return found.picture, found.summary, _explained(found.routing)

    try:
        return _said_in_the_page(drawn)
    except Stopped:
        return None, "Stopped.", ""
    except gr.Error as error:  # shown by the result as well if it left this function
        gr.Warning(error.message, title=error.title)
        return _NOTHING


def _explained(routing: str) -> str:
    if not routing:
        return ""
    return (
        "<h3>Routing</h3><p>Which expert each block took for this picture: a column is a block, a row an expert, "
        f"on the right its share.</p>{routing}"
    )


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
    except (gr.Error, Stopped):
        raise
    except ValueError as error:
        raise gr.Error(str(error)[:_LONGEST_MESSAGE], title="Not yet", print_exception=False) from error
    except Exception as error:
        _LOG.exception("unforeseen")
        words = f"Something unforeseen went wrong ({type(error).__name__}): the terminal has the details."
        raise gr.Error(words, print_exception=False) from error
