"""Laws of loading GroundingDINO: the settings are data, the text encoder keeps phrases apart, errors name the file."""

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoTokenizer, BertModel

from cologen.datagen.concepts.grounding_dino import PhraseBert, load_grounding_dino, read_config


def test_settings_are_read_and_not_run(tmp_path: Path) -> None:
    config = tmp_path / "config.py"
    config.write_text('nheads = 8\nindices = [1, 2]  # comment\nname = "x"\nnothing = None\n')
    assert read_config(config) == {"nheads": 8, "indices": [1, 2], "name": "x", "nothing": None}
    for code in ["import os", "a = open('x')", "a = 1 +", "a, b = 1, 2"]:
        config.write_text(code)
        with pytest.raises(ValueError, match=r"config\.py is not a list of"):
            read_config(config)


def test_the_published_configurations_are_read() -> None:
    package = find_spec("groundingdino")
    assert package is not None
    (root,) = package.submodule_search_locations or []
    for name, backbone in [("GroundingDINO_SwinT_OGC", "swin_T_224_1k"), ("GroundingDINO_SwinB_cfg", "swin_B_384_22k")]:
        settings = read_config(Path(root) / "config" / f"{name}.py")
        assert (settings["backbone"], settings["num_queries"]) == (backbone, 900)


def test_missing_files_and_settings_are_named(dino_files, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_grounding_dino(nowhere, dino_files.checkpoint, dino_files.text_encoder)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_grounding_dino(dino_files.config, nowhere, dino_files.text_encoder)
    with pytest.raises(FileNotFoundError, match=r"BERT at .*nowhere"):
        load_grounding_dino(dino_files.config, dino_files.checkpoint, str(nowhere))
    short = tmp_path / "short.py"
    short.write_text(dino_files.config.read_text().replace("num_queries = 30\n", ""))
    with pytest.raises(ValueError, match=r"short\.py lacks the setting 'num_queries'"):
        load_grounding_dino(short, dino_files.checkpoint, dino_files.text_encoder)


def test_a_checkpoint_of_another_network_is_refused(dino_files, tmp_path: Path) -> None:
    deeper = tmp_path / "deeper.py"
    deeper.write_text(dino_files.config.read_text().replace("dec_layers = 2", "dec_layers = 3"))
    with pytest.raises(ValueError, match=r"dino\.pth lacks \d+ weights"):
        load_grounding_dino(deeper, dino_files.checkpoint, dino_files.text_encoder)


def test_phrases_are_encoded_as_if_alone(dino_files) -> None:
    torch.manual_seed(0)
    bert = PhraseBert(AutoConfig.from_pretrained(dino_files.text_encoder)).eval()
    plain = BertModel(bert.config).eval()
    plain.load_state_dict(bert.state_dict())
    ids = AutoTokenizer.from_pretrained(dino_files.text_encoder)("cat . traffic light .", return_tensors="pt")[
        "input_ids"
    ]
    phrases = [range(1, 3), range(3, 6)]
    sees = torch.eye(7, dtype=torch.bool)[None]
    places = torch.zeros(1, 7, dtype=torch.long)
    for phrase in phrases:
        sees[0, phrase.start : phrase.stop, phrase.start : phrase.stop] = True
        places[0, phrase.start : phrase.stop] = torch.arange(len(phrase))
    together = bert(input_ids=ids, attention_mask=sees, position_ids=places)["last_hidden_state"]
    for phrase in phrases:
        alone = plain(input_ids=ids[:, phrase.start : phrase.stop]).last_hidden_state
        torch.testing.assert_close(together[:, phrase.start : phrase.stop], alone, atol=1e-5, rtol=0)
