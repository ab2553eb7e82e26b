"""All networks by name, and the laws that hold for each of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cologen.evaluation.metric import Metric, SetMetric
from cologen.evaluation.metrics.catalog import clip_image, dino, fid, miou, ms_ssim
from cologen.evaluation.network import PictureNetwork, TextNetwork
from cologen.evaluation.networks.loading import DEFAULTS, load_networks, missing_networks
from cologen.evaluation.records import Case, Expected, Item
from cologen.evaluation.scoring.readings import Readings
from tests.evaluation.tiny_networks import pictures_of


@pytest.fixture(scope="module")
def networks(sources: dict[str, str]) -> dict[str, PictureNetwork]:
    return load_networks(DEFAULTS, sources, "cpu")


def test_every_name_is_there(networks: dict[str, PictureNetwork]) -> None:
    assert set(networks) == set(DEFAULTS)
    for name, network in networks.items():
        assert isinstance(network, PictureNetwork)
        assert isinstance(network, TextNetwork) == (name == "clip")
        assert " sha256:" in network.identity and "/" not in network.identity


@pytest.mark.parametrize("name", DEFAULTS)
def test_readings_depend_on_nothing_but_their_picture(
    networks: dict[str, PictureNetwork], pictures: list[np.ndarray], name: str
) -> None:
    """Bit for bit: alone, together, in another order, beside copies, and on any number of threads around it."""
    read = networks[name].read
    alone = [read([each])[0] for each in pictures]
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        together = read([*pictures, *pictures[::-1]])
    finally:
        torch.set_num_threads(threads)
    for found, expected in zip(together, alone + alone[::-1], strict=True):
        assert found.dtype == np.float32
        assert np.array_equal(found, expected)


def test_the_target_as_output_has_the_best_values(networks: dict[str, PictureNetwork]) -> None:
    """What networks read, as scoring hands it to metrics, of two items whose outputs are their targets."""
    metrics = (
        clip_image(reference="target"),
        clip_image(reference="references", name="clip_i_references"),
        dino(reference="target"),
        fid(),
        ms_ssim(network="hed", against="target"),
        ms_ssim(network="lineart", against="target"),
        miou(num_classes=6, ignored=255),
    )
    needs = {need for metric in metrics for need in metric.needs}
    cases: list[Case] = []
    for number, target in enumerate(pictures_of((176, 192), (200, 177))):
        condition = networks["segmenter"].read([target])[0].astype(np.uint8)
        expected = Expected(target=target, references=(target, target), condition=condition)
        item = Item(item_id=f"ball-{number}", cluster="ball", prompt="a ball")
        cases.append(Case(item=item, output=target, expected=expected))
    readings = Readings(networks)
    readings.prepare(needs, cases)
    cases = [replace(case, readings=readings.of(case, needs)) for case in cases]
    for metric in metrics:
        if isinstance(metric, Metric):
            values = [metric.value(case) for case in cases]
        else:
            assert isinstance(metric, SetMetric)
            values = [metric.figure(metric.statistic(case) for case in cases)]
        assert values == pytest.approx([metric.best] * len(values), abs=1e-3 if "lineart" in metric.name else 1e-6)


@pytest.mark.parametrize("name", ["clip", "dino", "depth"])
def test_nan_is_passed_on(sources: dict[str, str], pictures: list[np.ndarray], name: str) -> None:
    network = load_networks([name], sources, "cpu")[name]
    with torch.no_grad():
        for weight in network.network.parameters():  # type: ignore[attr-defined]
            weight.fill_(torch.nan)
    assert np.isnan(network.read(pictures[:1])[0]).all()


def test_none_of_nothing(networks: dict[str, PictureNetwork]) -> None:
    assert all(network.read([]) == [] for network in networks.values())


def test_what_is_missing_is_one_line_with_the_option(
    sources: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    some = {name: source for name, source in sources.items() if name not in ("dino", "hed", "inception")}
    some["inception"] = str(tmp_path / "nothing.pt")
    missing = missing_networks(DEFAULTS, some)
    assert set(missing) == {"dino", "hed", "inception"}
    assert missing["dino"].startswith("the network 'dino' is not there: facebook/dino-vits16")
    assert missing["dino"].endswith("Give --network dino=PATH, or --download to fetch it")
    assert all("\n" not in words for words in missing.values())
    with pytest.raises(FileNotFoundError, match=r"the network 'dino' is not there: .* Give --network dino=PATH"):
        load_networks(["clip", "dino"], some, "cpu")


def test_a_segmenter_may_be_a_file(tmp_path: Path) -> None:
    file = tmp_path / "deeplabv3.pth"
    assert "segmenter" in missing_networks(["segmenter"], {"segmenter": str(file)})
    file.touch()
    assert not missing_networks(["segmenter"], {"segmenter": str(file)})


def test_an_unknown_name_is_refused(sources: dict[str, str]) -> None:
    for ask in (lambda: load_networks(["judge"], sources), lambda: missing_networks(["judge"], sources)):
        with pytest.raises(ValueError, match=r"no network is called 'judge': there are clip, dino"):
            ask()


def test_texts_are_cut_only_if_asked_for(sources: dict[str, str]) -> None:
    cutting = load_networks(["clip"], sources, "cpu", truncate_texts=True)["clip"]
    assert isinstance(cutting, TextNetwork)
    assert len(cutting.read_texts(["a" * 200])) == 1
