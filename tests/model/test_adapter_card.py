"""The card says what is in the folder, and never replaces somebody's own words."""

from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard

from cologen.model.adapters import save_adapter
from cologen.model.bundle import build
from cologen.model.presets import preset
from tests.model.tiny import tiny, tiny2


def test_the_hub_reads_it_and_a_person_too(tmp_path: Path) -> None:
    notes = {"recipe": "mine", "data": ["inpaint-cocostuff"], "terms": ["COCO-Stuff: annotations CC BY 4.0"]}
    save_adapter(tiny2(2, dtype=torch.float32), tmp_path, notes=notes)
    card = ModelCard.load(tmp_path / "README.md")
    assert card.data.library_name == "diffusers"
    for words in ("FLUX.2", "2 of rank 3", "| Recipe | mine |", "CC BY 4.0", "stage=1"):
        assert words in card.text


@pytest.mark.parametrize("name", ["world-tiny", "world-small"])
def test_a_base_of_the_synthetic_dataset_is_opened_by_its_preset(name: str, tmp_path: Path) -> None:
    transformer = build(preset(name)).transformer
    transformer.add_expert(0)
    save_adapter(transformer, tmp_path)
    card = (tmp_path / "README.md").read_text()
    assert f"# Key-value experts for {name}" in card
    assert f'pipe = open_pipeline(PipelineSpec(preset="{name}"))' in card
    assert "FOLDER OF THE BASE" not in card
    code = card.partition("```python\n")[2].partition("```")[0]
    compile(code, "card", "exec")


def test_each_stage_writes_it_again_unless_it_became_somebody_s_own(tmp_path: Path) -> None:
    model = tiny(1, dtype=torch.float32)
    save_adapter(model, tmp_path)
    model.add_expert(1)
    save_adapter(model, tmp_path)
    assert "stage=1" in (tmp_path / "README.md").read_text()
    (tmp_path / "README.md").write_text("My words.")
    save_adapter(model, tmp_path)
    assert (tmp_path / "README.md").read_text() == "My words."
