"""One command draws a picture and says where it is; whatever is wrong is said in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cologen.model.adapters import save_adapter
from cologen.model.bundle import build
from cologen.model.presets import preset
from pipelines.generate import Options, main
from tests.model.tiny_flux import write_flux
from tests.model.tiny_klein import write_klein
from tests.model.tiny_qwen import write_qwen

QUICK = ("--steps", "1", "--device", "cpu")
GIVEN = ("--task", "edit", "--prompt", "make it blue")


def opened(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.copy()


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "in.png"
    Image.new("RGB", (32, 24), "red").save(path)
    return path


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    transformer = build(preset("world-tiny")).transformer
    transformer.add_expert(0)
    save_adapter(transformer, tmp_path / "adapter")
    return tmp_path / "adapter"


def edit(image: Path, out: Path, *more: str) -> int:
    return main(["--task", "edit", "--image", str(image), "--prompt", "make it blue", "--out", str(out), *QUICK, *more])


def test_a_picture_is_drawn_from_a_picture_and_said_to_be_there(
    image: Path, adapter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "out.png"
    assert edit(image, out, "--adapter", str(adapter)) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(
        "No --base: using world-tiny, trained on the synthetic dataset, with world-tiny.safetensors"
    )
    assert said[1].startswith("adapter ")
    assert said[1].endswith("experts 0 to 0")
    assert said[2] == f"wrote {out} (32x24)"
    assert opened(out).size == (32, 24)


def test_the_same_seed_draws_the_same_and_each_of_several_its_own(image: Path, tmp_path: Path) -> None:
    assert edit(image, tmp_path / "a.png", "--seed", "1", "--size", "20x16") == 0
    assert edit(image, tmp_path / "b.png", "--seed", "1", "--size", "20x16", "--num", "2") == 0
    first, same, other = (opened(tmp_path / name) for name in ("a.png", "b-0.png", "b-1.png"))
    assert first.size == (20, 16)
    assert first.tobytes() == same.tobytes() != other.tobytes()


def test_a_hole_is_filled_and_the_rest_can_stay(image: Path, tmp_path: Path) -> None:
    mask = Image.new("L", (32, 24))
    mask.paste(255, (0, 0, 16, 24))
    mask.save(tmp_path / "mask.png")
    out = tmp_path / "out.png"
    command = ["--task", "inpaint", "--image", str(image), "--mask", str(tmp_path / "mask.png"), "--out", str(out)]
    assert main([*command, *QUICK, "--paste-known"]) == 0
    assert opened(out).getpixel((20, 3)) == (255, 0, 0)
    assert opened(out).getpixel((3, 3)) != (255, 0, 0)


def test_a_hole_is_filled_at_full_size_and_a_start_needs_no_task(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mask = Image.new("L", (32, 24))
    mask.paste(255, (4, 4, 10, 10))
    mask.save(tmp_path / "mask.png")
    out = tmp_path / "out.png"
    command = ["--task", "inpaint", "--image", str(image), "--mask", str(tmp_path / "mask.png"), "--out", str(out)]
    assert main([*command, *QUICK, "--crop-padding", "2", "--size", "16x12"]) == 0
    assert "wrote " in capsys.readouterr().out
    made = opened(out)
    assert made.size == (32, 24)
    assert all(made.getpixel(at) == (255, 0, 0) for at in ((3, 3), (10, 10), (31, 23)))
    assert made.getpixel((6, 6)) != (255, 0, 0)
    command = ["--image", str(image), "--prompt", "a red ball", "--strength", "0.5", "--out", str(out)]
    assert main([*command, "--steps", "4", "--device", "cpu"]) == 0
    assert "adapter" not in capsys.readouterr().out  # the base alone draws, and nothing is missing


def test_a_flux_folder_is_a_base_and_words_alone_are_enough(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base, out = write_flux(tmp_path / "flux"), tmp_path / "out.jpg"
    assert main(["--base", str(base), "--prompt", "a red cat", "--size", "33x17", "--out", str(out), *QUICK]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"base {base} in float32 on cpu")
    assert f"wrote {out} (32x16, 33x17 made to fit the base)" in said
    assert opened(out).size == (32, 16)


def test_a_klein_folder_is_a_base_with_the_guidance_of_its_authors(tmp_path: Path) -> None:
    """Of the base model, which was not distilled: 4, against the empty prompt; a distilled one has none."""
    base, fast = write_klein(tmp_path / "klein"), write_klein(tmp_path / "fast", distilled=True)
    given = {"prompt": "a red cat", "out": tmp_path / "out.png"}
    assert Options(base=str(base), **given).guidance_against == (4.0, "")
    assert Options(base=str(base), true_cfg=1.0, **given).guidance_against == (1.0, None)
    assert Options(base=str(fast), **given).guidance_against == (1.0, None)
    out = tmp_path / "out.png"
    assert main(["--base", str(base), "--prompt", "a red cat", "--size", "33x17", "--out", str(out), *QUICK]) == 0
    assert opened(out).size == (32, 16)


def test_a_qwen_image_folder_is_a_base_that_sees_a_picture(image: Path, tmp_path: Path) -> None:
    base, out = write_qwen(tmp_path / "qwen"), tmp_path / "out.png"
    assert Options(base=str(base), prompt="a red cat", out=out).guidance_against == (4.0, "")
    with pytest.raises(ValueError, match=r"FLUX.2 klein and Qwen-Image take --true-cfg"):
        Options(base=str(base), prompt="a red cat", out=out, guidance=3.0)
    assert edit(image, out, "--base", str(base), "--steps", "2") == 0
    assert opened(out).size == (32, 16)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--image", "nowhere.png"], "no picture at nowhere.png"),
        (["--image", __file__], "is not a picture that can be read"),
        (["--adapter", "nowhere"], "no adapter in nowhere"),
        (["--device", "cuda:99"], "no CUDA device cuda:99 on this machine"),
        (["--base", "./nowhere"], "no FLUX folder at ./nowhere"),
        (["--weights", "nowhere.safetensors"], "no weights at nowhere.safetensors"),
        (["--device", "cpu", "--offload", "model"], "--offload saves a GPU's memory"),
    ],
)
def test_what_went_wrong_is_one_message(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], message: str
) -> None:
    assert edit(image, tmp_path / "out.png", *more) == 1
    error = capsys.readouterr().err
    assert "Failed: " in error
    assert message in error
    assert "Traceback" not in error
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--task", "paint"], "no task is called"),
        (["--size", "big"], "WIDTHxHEIGHT"),
        (["--size", "0x16"], "WIDTHxHEIGHT"),
        (["--num", "0"], "--num must be at least 1"),
        (["--steps", "0"], "--steps must be at least 1"),
        (["--seed", "-1"], "--seed must be at least 0"),
        (["--seed", str(2**64 - 1), "--num", "2"], "--seed must be at least 0"),
        (["--guidance", "nan"], "--guidance must be at least 0"),
        (["--guidance", "3.5"], "a small base takes --true-cfg"),
        (["--device", "tpu"], "--device must be auto, cpu or cuda"),
        (["--bare", "--stage", "0"], "--stage is of no use without an adapter: leave --bare out"),
        (["--bare", "--adapter", "DIR"], "--bare is without an --adapter"),
        (["--negative", "a dog", "--true-cfg", "1"], "--negative works with a --true-cfg above 1"),
        (["--base", "flux", "--negative", "a dog"], "--negative works with a --true-cfg above 1"),
        (["--base", "flux", "--true-cfg", "4"], "--true-cfg above 1 leads away from a --negative"),
        (["--task", "inpaint"], "--task inpaint needs a --mask"),
        (["--mask", "mask.png"], "--mask is for --task inpaint"),
        (["--paste-known"], "give the --mask of one"),
        (["--crop-padding", "8"], "--crop-padding is for the hole in one --image"),
        (["--crop-padding", "8", "--paste-known", "--mask", "m.png"], "leave --paste-known out"),
        (["--crop-padding", "-1"], "--crop-padding must be at least 0"),
        (["--strength", "0"], "--strength must be above 0 and at most 1"),
        (["--task", "control", "--strength", "0.5"], "--task control takes none"),
        (["--base", "flux", "--weights", "base.safetensors"], "a --base brings its own"),
        (["--out", "out.xyz"], "end it in .png"),
        (["--out", "out"], "end it in .png"),
        (["--out", "out.psd"], "a picture cannot be written as PSD"),  # is only read
        (["--out", "out.xbm"], "a picture cannot be written as XBM"),  # has no colours
        (["--out", "FOLDER"], "is a folder"),
    ],
)
def test_wrong_usage_leaves_with_two(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], message: str
) -> None:
    (tmp_path / "folder.png").mkdir()
    more = [str(tmp_path / "folder.png") if each == "FOLDER" else each for each in more]
    assert message in refused([*GIVEN, "--image", str(image), "--out", str(tmp_path / "out.png"), *more], capsys)


@pytest.mark.parametrize(
    ("given", "guidance"),
    [
        ({}, (1.5, "")),
        ({"negative": "a dog"}, (1.5, "a dog")),
        ({"true_cfg": 4.0}, (4.0, "")),
        ({"true_cfg": 1.0}, (1.0, None)),
        ({"base": "flux"}, (1.0, None)),
        ({"base": "flux", "true_cfg": 4.0, "negative": ""}, (4.0, "")),
    ],
)
def test_a_small_base_is_guided_unless_one_says_otherwise_and_a_flux_base_is_not(
    given: dict[str, Any], guidance: tuple[float, str | None]
) -> None:
    assert Options(out=Path("out.png"), prompt="a cat", **given).guidance_against == guidance


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--prompt", "a cat", "--image", "in.png"], "say what the --image is for"),
        (["--prompt", "a cat", "--task", "edit"], "--task editing needs an --image"),
        (["--prompt", "a cat", "--strength", "0.5"], "--strength starts from an --image"),
        ([], "say with --prompt what is to be drawn"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], given: list[str], message: str
) -> None:
    assert message in refused([*given, "--out", str(tmp_path / "out.png")], capsys)


def refused(given: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What is said of wrong usage, on one line."""
    with pytest.raises(SystemExit) as exit_:
        main(given)
    assert exit_.value.code == 2
    said = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert "Traceback" not in said
    return said
