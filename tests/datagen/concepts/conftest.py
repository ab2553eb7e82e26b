"""Tiny randomly initialised networks as the checkpoint files that their originals come in."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, TwoWayTransformer
from segment_anything.modeling import Sam as SamNetwork
from torch import nn
from transformers import BertConfig

from cologen.datagen.concepts.grounding_dino import build_grounding_dino

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *".?a", "cat", "dog", "traffic", "light", "##s", "bear", "teddy"]
WORDS += ["chair", "the"]

DINO_CONFIG = """
batch_size = 1
modelname = "groundingdino"
backbone = "swin_T_224_1k"
position_embedding = "sine"
pe_temperatureH = 20
pe_temperatureW = 20
return_interm_indices = [1, 2, 3]
backbone_freeze_keywords = None
enc_layers = 2
dec_layers = 2
pre_norm = False
dim_feedforward = 64
hidden_dim = 256
dropout = 0.0
nheads = 8
num_queries = 30
query_dim = 4
num_patterns = 0
num_feature_levels = 4
enc_n_points = 4
dec_n_points = 4
two_stage_type = "standard"
two_stage_bbox_embed_share = False
two_stage_class_embed_share = False
transformer_activation = "relu"
dec_pred_bbox_embed_share = True
dn_box_noise_scale = 1.0
dn_label_noise_ratio = 0.5
dn_label_coef = 1.0
dn_bbox_coef = 1.0
embed_init_tgt = True
dn_labelbook_size = 2000
max_text_len = 256
text_encoder_type = "bert-base-uncased"
use_text_enhancer = True
use_fusion_layer = True
use_checkpoint = True
use_transformer_ckpt = True
use_text_cross_attention = True
text_dropout = 0.0
fusion_dropout = 0.0
fusion_droppath = 0.1
sub_sentence_present = True
"""


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """On a busy machine, threads that wait for each other make networks as small as these ten times slower."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@dataclass(frozen=True)
class DinoFiles:
    config: Path
    checkpoint: Path
    text_encoder: str


@pytest.fixture(scope="session")
def dino_files(tmp_path_factory: pytest.TempPathFactory) -> DinoFiles:
    """GroundingDINO with the smallest backbone its package builds, two layers elsewhere, and a BERT of two layers."""
    root = tmp_path_factory.mktemp("dino")
    bert = root / "bert"
    bert.mkdir()
    (bert / "vocab.txt").write_text("\n".join(WORDS))
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    BertConfig(vocab_size=len(WORDS), **sizes).save_pretrained(bert)
    (root / "config.py").write_text(DINO_CONFIG)
    files = DinoFiles(config=root / "config.py", checkpoint=root / "dino.pth", text_encoder=str(bert))
    torch.save({"model": _dino_state(files)}, files.checkpoint)
    return files


def _dino_state(files: DinoFiles) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    with warnings.catch_warnings(action="ignore"):  # what groundingdino-py and its own imports warn of
        network = build_grounding_dino(files.config, files.text_encoder)
    with torch.no_grad():
        # As initialised, all probabilities are 0 or 1 and all boxes the anchors: nothing to compare.
        for layer in network.transformer.encoder.text_layers:
            layer.norm2.weight.mul_(0.05)
        for embed in (network.bbox_embed[0], network.transformer.enc_out_bbox_embed):
            nn.init.normal_(embed.layers[-1].weight, std=0.1)
    # Published files were saved from a data-parallel wrapper, and hold what only training needs.
    return {f"module.{name}": value for name, value in network.state_dict().items()} | {
        "module.label_enc.weight": torch.zeros(3, 4)
    }


@dataclass(frozen=True)
class OriginalDino:
    """What GroundingDINO's own package offers for inference, to compare with."""

    predict: Callable[..., Any]
    transforms: ModuleType


@pytest.fixture(scope="session")
def original_dino() -> OriginalDino:
    with warnings.catch_warnings(action="ignore"):
        from groundingdino.datasets import transforms
        from groundingdino.util.inference import predict
    return OriginalDino(predict=predict, transforms=transforms)


@pytest.fixture(scope="session")
def tiny_sam() -> SamNetwork:
    """Segment Anything over 64 × 64 pixels, two blocks of which one attends within windows."""
    torch.manual_seed(1)
    network = SamNetwork(
        image_encoder=ImageEncoderViT(
            img_size=64,
            patch_size=8,
            embed_dim=48,
            depth=3,
            num_heads=4,
            mlp_ratio=2,
            out_chans=32,
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
            use_rel_pos=True,
            window_size=3,
            global_attn_indexes=(1,),
        ),
        prompt_encoder=PromptEncoder(
            embed_dim=32, image_embedding_size=(8, 8), input_image_size=(64, 64), mask_in_chans=16
        ),
        mask_decoder=MaskDecoder(
            transformer_dim=32,
            transformer=TwoWayTransformer(depth=2, embedding_dim=32, num_heads=8, mlp_dim=40),
            iou_head_depth=3,
            iou_head_hidden_dim=24,
        ),
    )
    for parameter in network.image_encoder.parameters():
        nn.init.normal_(parameter, std=0.2)
    return network.eval()


@pytest.fixture(scope="session")
def sam_checkpoint(tiny_sam: SamNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sam") / "sam.pth"
    torch.save(tiny_sam.state_dict(), path)
    return path
