"""The model card of an adapter: a ``README.md`` with the front matter that the hub reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCardData

from cologen.model.adapter_index import SHAPES
from cologen.model.files import write_atomically
from cologen.model.presets import PRESETS

CARD = "README.md"
_MARK = "<!-- Written with the adapter, and again with each stage. Remove this line to keep your own words. -->"

_KINDS = {"flux.1": "FLUX.1", "flux.2": "FLUX.2", "qwen-image": "Qwen-Image"}


def write_card(folder: Path, index: Mapping[str, Any]) -> None:
    """Write the card of an adapter's index, unless there is one that somebody has made their own."""
    path = folder / CARD
    if path.is_file() and _MARK not in path.read_text(errors="replace"):
        return
    write_atomically(path, card(index).encode())


def card(index: Mapping[str, Any]) -> str:
    """What an adapter is, what it stands on, what it was trained on, under which terms, and how it is used."""
    base, form, notes, newest = index["base"], index["form"], dict(index["notes"]), index["experts"] - 1
    kind = _world_preset(base) or _KINDS[base["kind"]]
    num_single = base.get("num_single_layers", 0)  # Qwen-Image has none
    front = ModelCardData(library_name="diffusers", license="other", tags=["cologen", "image-to-image"]).to_yaml()
    facts = {
        "Base": f"{kind}: {base['num_layers']} double-stream and {num_single} single-stream blocks of "
        f"{base['num_attention_heads']} × {base['attention_head_dim']} channels",
        "Experts": f"{index['experts']} of rank {form['rank']} in every block, scale {form['expert_scale']:g}",
        "Stages": ", ".join(map(str, index["routers"])) + " (stage s is experts 0 to s with router s)",
        "Routing": f"each {form['routing']}; the source is encoded at time {form['source_timestep']}",
        **{name.replace("_", " ").capitalize(): _said(value) for name, value in notes.items()},
    }
    use = _use(base, newest)
    table = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
    return f"""---
{front}
---
{_MARK}

# Key-value experts for {kind}

Experts and routers of *CoLoGen: Progressive Learning of Concept–Localization Duality for Unified Image Generation*.
They make a frozen base see a picture: to fill it, mark it, follow it, keep its subject or edit it.

| | |
|---|---|
{table}

## Use

```python
{use}
```

## Terms

The terms of the base and of the data hold; both are named above as far as they are known.
"""


def _use(base: Mapping[str, Any], stage: int) -> str:
    """The code that opens the base, loads the adapter and draws."""
    asked, opened = "make it snow", 'open_pipeline(PipelineSpec(base="FOLDER OF THE BASE"))'
    imported = "from cologen.model.opening import PipelineSpec, open_pipeline"
    if world := _world_preset(base):
        asked = "Make the ball at the top black."
        opened = f'open_pipeline(PipelineSpec(preset="{world}"))  # weights=Path(…), for another base than the bundled'
    elif base["kind"] == "flux.1":
        opened = 'CoLoGenPipeline.from_pretrained("FOLDER OF THE BASE")'
        imported = "from cologen.model.pipeline import CoLoGenPipeline"
    return f"""{imported}

pipe = {opened}
pipe.load_adapter("THIS FOLDER, OR ITS NAME ON THE HUB", stage={stage})
pipe("{asked}", image=picture, task="editing").images[0]"""


def _world_preset(base: Mapping[str, Any]) -> str | None:
    """The preset of the synthetic dataset that has this shape."""
    for preset in PRESETS.values():
        if preset.family == "world" and all(preset.transformer[name] == base.get(name) for name in SHAPES["flux.1"]):
            return preset.name
    return None


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} ({each})" for name, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
