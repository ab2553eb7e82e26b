from pathlib import Path

import pytest

from cologen.evaluation.benchmarks.dreambench_files import LIVE_CLASSES, PICTURES, read_prompts

TEXT = """Classes

subject_name,class
teapot,teapot
dog8,dog
bear_plushie,stuffed animal

Prompts

Object Prompts

prompt_list = [
'a {0} {1} on the moon'.format(unique_token, class_token),
"a green {0} {1}".format(unique_token, class_token)
]

Live Subject Prompts

prompt_list = [
'a {0} {1} with a green scarf'.format(unique_token, class_token),
]
"""


def test_prompts_are_plain_and_of_the_subjects_kind(tmp_path: Path) -> None:
    path = tmp_path / "prompts_and_classes.txt"
    path.write_text(TEXT)
    prompts = read_prompts(path)
    assert prompts.classes == {"teapot": "teapot", "dog8": "dog", "bear_plushie": "stuffed animal"}
    assert prompts.of("bear_plushie") == ("a stuffed animal on the moon", "a green stuffed animal")
    assert prompts.of("dog8") == ("a dog with a green scarf",) and prompts.is_live("dog8")
    path.write_bytes(("\ufeff" + TEXT).encode().replace(b"\n", b"\r\n"))
    assert read_prompts(path) == prompts


@pytest.mark.parametrize(
    ("gone", "words"),
    [("teapot,teapot\ndog8,dog\nbear_plushie,stuffed animal", "classes"), ("Live Subject Prompts", "live")],
)
def test_another_file_is_refused_by_what_it_lacks(tmp_path: Path, gone: str, words: str) -> None:
    path = tmp_path / "prompts_and_classes.txt"
    path.write_text(TEXT.replace(gone, ""))
    with pytest.raises(ValueError, match=f"found no {words}"):
        read_prompts(path)


def test_the_fixed_list_has_thirty_subjects_and_nine_of_them_live() -> None:
    assert len(PICTURES) == 30 and {len(number) for number in PICTURES.values()} == {2}
    assert sum(name.rstrip("0123456789") in LIVE_CLASSES for name in PICTURES) == 9
