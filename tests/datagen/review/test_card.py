"""The card says what a manifest holds, from where, under which terms, and by which recipe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import BaseModel

from cologen.datagen.manifest import Manifest, PartReport
from cologen.datagen.manifest.schemas import SCHEMAS
from cologen.datagen.review.card import TERMS, WHAT, card


class Recipe(BaseModel):
    seed: int = 3


@pytest.fixture
def manifest() -> Manifest:
    empty = Manifest.empty(
        "inpaint", "cocostuff", Recipe(), num_parts=1, root=Path("x"), mix={"random": 0.2, "object": 0.8}
    )
    part = PartReport(
        index=0,
        file="part-00000.parquet",
        rows=1500,
        sha256="",
        rejected_file="rejected-00000.parquet",
        rejected_sha256="",
        rejected={"empty_file": 2},
        mix={"random": 300, "object": 1200},
    )
    return empty.finished([part])


def test_it_holds_counts_terms_and_recipe(manifest: Manifest) -> None:
    text = card(manifest, synthetic=False)
    assert "| samples | 1,500 |" in text
    assert "| of them random | 300 (20.00 %, asked 20 %) |" in text
    assert "| of them empty_file | 2 |" in text
    assert TERMS["cocostuff"] in text
    assert json.loads(text.split("```json")[1].split("```")[0]) == {"seed": 3}


def test_the_synthetic_dataset_is_not_called_the_public_one(manifest: Manifest) -> None:
    text = card(manifest, synthetic=True)
    assert "synthetic dataset" in text
    assert TERMS["cocostuff"] not in text


def test_every_task_can_be_described() -> None:
    assert WHAT.keys() == SCHEMAS.keys()
