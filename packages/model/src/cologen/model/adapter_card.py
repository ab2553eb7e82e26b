"""The model card of an adapter: a ``README.md`` with the front matter that the hub reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCardData

from cologen.model.files import write_atomically

CARD = "README.md"
_MARK = "<!-- Written with the adapter, and again with each stage. Remove this line to keep your own words. -->"

_KINDS = {"flux.1": "FLUX.1", "flux.2": "FLUX.2"}


def write_card(folder: Path, index: Mapping[str, Any]) -> None:
    """Write the card of an adapter's index, unless there is one that somebody has made their own."""
    path = folder / CARD
    if path.is_file() and _MARK not in path.read_text(errors="replace"):
        return
    write_atomically(path, card(index).encode())


def card(index: Mapping[str, Any]) -> str:
    """What an adapter is, what it stands on, what it was trained on, under which terms, and how it is used."""
    base, form, notes, newest = index["base"], index["form"], dict(index["notes"]), index["experts"] - 1
    kind = _KINDS[base["kind"]]
    front = ModelCardData(library_name="diffusers", license="other", tags=["cologen", "image-to-image"]).to_yaml()
    facts = {
        "Base": f"{kind}: {base['num_layers']} double-stream and {base['num_single_layers']} single-stream blocks of "
        f"{base['num_attention_heads']} × {base['attention_head_dim']} channels",
        "Experts": f"{index['experts']} of rank {form['rank']} in every block, scale {form['expert_scale']:g}",
        "Stages": ", ".join(map(str, index["routers"])) + " (stage s is experts 0 to s with router s)",
        "Routing": f"each {form['routing']}; the source is encoded at time {form['source_timestep']}",
        **{name.replace("_", " ").capitalize(): _said(value) for name, value in notes.items()},
    }
    opened = 'CoLoGenPipeline.from_pretrained("FOLDER OF THE BASE")'
    imported = "from cologen.model.pipeline import CoLoGenPipeline"
    if base["kind"] == "flux.2":
        opened = 'open_pipeline(PipelineSpec(base="FOLDER OF THE BASE"))'
        imported = "from cologen.model.opening import PipelineSpec, open_pipeline"
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
{imported}

pipe = {opened}
pipe.load_adapter("THIS FOLDER, OR ITS NAME ON THE HUB", stage={newest})
pipe("make it snow", image=picture, task="editing").images[0]
```

## Terms

The terms of the base and of the data hold; both are named above as far as they are known.
"""


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} ({each})" for name, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
