"""The optional weights that the pipelines can use, with where they are published, their hashes and their licences.

The hashes and sizes are those of the named revisions. The digits in the names of Segment Anything's files begin their
MD5, which says nothing about a sha256.
"""

from __future__ import annotations

from cologen.datagen.control.policy import HUB
from cologen.datagen.model_files import ModelFile

_DINO = "https://github.com/IDEA-Research/GroundingDINO/releases/download/v0.1.0-alpha"
_DINO_CODE = "https://raw.githubusercontent.com/IDEA-Research/GroundingDINO/856dde20aee659246248e20734ef9ba5214f5e44"
_SAM = "https://dl.fbaipublicfiles.com/segment_anything"
_BERT = "https://huggingface.co/google-bert/bert-base-uncased/resolve/86b5e0934494bd15c9632b12f734a8a67f723594"
_ANNOTATORS = f"https://huggingface.co/{HUB}/resolve/982e7edaec38759d914a963c48c4726685de7d96"
_DPT = "https://huggingface.co/Intel/dpt-large/resolve/main"

CATALOG = (
    ModelFile(
        name="grounding-dino-config",
        url=f"{_DINO_CODE}/groundingdino/config/GroundingDINO_SwinT_OGC.py",
        sha256="172e80017f9395668a9cb5d1b8bd9d061c0e360471c6ed673c83b69bb14399f1",
        size=1_006,
        purpose="build_inpaint --dino-config: GroundingDINO's settings",
        licence="Apache-2.0",
        filename="GroundingDINO_SwinT_OGC.py",
    ),
    ModelFile(
        name="grounding-dino",
        url=f"{_DINO}/groundingdino_swint_ogc.pth",
        sha256="3b3ca2563c77c69f651d7bd133e97139c186df06231157a64c507099c52bc799",
        size=693_997_677,
        purpose="build_inpaint --dino-checkpoint: boxes for the nouns of a caption",
        licence="Apache-2.0",
        filename="groundingdino_swint_ogc.pth",
    ),
    ModelFile(
        name="bert-config",
        url=f"{_BERT}/config.json",
        sha256="7160e1553ad2ca51d8c1cb066be533db31826e12d173824c1bb0cb1a4f187d20",
        size=570,
        purpose="build_inpaint --text-encoder: the shape of GroundingDINO's BERT",
        licence="Apache-2.0",
        filename="bert-base-uncased/config.json",
    ),
    ModelFile(
        name="bert-vocab",
        url=f"{_BERT}/vocab.txt",
        sha256="07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
        size=231_508,
        purpose="build_inpaint --text-encoder: the vocabulary of GroundingDINO's BERT",
        licence="Apache-2.0",
        filename="bert-base-uncased/vocab.txt",
    ),
    ModelFile(
        name="sam-vit-b",
        url=f"{_SAM}/sam_vit_b_01ec64.pth",
        sha256="ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
        size=375_042_383,
        purpose="build_inpaint --sam-checkpoint: masks in boxes, the smallest of three",
        licence="Apache-2.0",
        filename="sam_vit_b_01ec64.pth",
    ),
    ModelFile(
        name="sam-vit-l",
        url=f"{_SAM}/sam_vit_l_0b3195.pth",
        sha256="3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
        size=1_249_524_607,
        purpose="build_inpaint --sam-checkpoint: masks in boxes, the middle of three",
        licence="Apache-2.0",
        filename="sam_vit_l_0b3195.pth",
    ),
    ModelFile(
        name="sam-vit-h",
        url=f"{_SAM}/sam_vit_h_4b8939.pth",
        sha256="a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
        size=2_564_550_879,
        purpose="build_inpaint --sam-checkpoint: masks in boxes, the largest of three",
        licence="Apache-2.0",
        filename="sam_vit_h_4b8939.pth",
    ),
    ModelFile(
        name="hed",
        url=f"{_ANNOTATORS}/ControlNetHED.pth",
        sha256="5ca93762ffd68a29fee1af9d495bf6aab80ae86f08905fb35472a083a4c7a8fa",
        size=29_444_406,
        purpose="soft edges for control samples",
        licence="Apache-2.0",
        filename="ControlNetHED.pth",
    ),
    ModelFile(
        name="lineart",
        url=f"{_ANNOTATORS}/sk_model.pth",
        sha256="c686ced2a666b4850b4bb6ccf0748031c3eda9f822de73a34b8979970d90f0c6",
        size=17_173_511,
        purpose="line drawings for control samples",
        licence="MIT",
        filename="sk_model.pth",
    ),
    ModelFile(
        name="lineart-coarse",
        url=f"{_ANNOTATORS}/sk_model2.pth",
        sha256="30a534781061f34e83bb9406b4335da4ff2616c95d22a585c1245aa8363e74e0",
        size=17_173_511,
        purpose="line drawings for control samples, with fewer lines",
        licence="MIT",
        filename="sk_model2.pth",
    ),
    ModelFile(
        name="dpt-config",
        url=f"{_DPT}/config.json",
        sha256=None,
        size=None,
        purpose="the shape of the depth network",
        licence="Apache-2.0",
        filename="dpt-large/config.json",
    ),
    ModelFile(
        name="dpt",
        url=f"{_DPT}/model.safetensors",
        sha256=None,
        size=None,
        purpose="depth maps where the dataset has none",
        licence="Apache-2.0",
        filename="dpt-large/model.safetensors",
    ),
)
"""In the order in which they are fetched."""
