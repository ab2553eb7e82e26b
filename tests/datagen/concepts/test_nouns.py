"""Laws of noun extraction, and how well it does on captions of COCO, beside nouns read out by hand."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import spacy
from spacy.training import Example

from cologen.datagen.concepts.nouns import NounExtractor, open_nouns

ANNOTATIONS = Path(__file__).resolve().parents[4] / "shared" / "real" / "coco2017" / "annotations"
needs_coco = pytest.mark.skipif(not ANNOTATIONS.is_dir(), reason="no COCO captions beside the checkout")

EXPECTED = {
    370509: "man, kitchen, pizza",
    372252: "baker, kitchen, dough",
    598568: "kitchen, appliance, table",
    111433: "person, man, city street",
    654318: "athlete, bicycle, skateboard",
    435809: "bike, street",
    501985: "bathroom, wall, shower",
    508369: "bathroom",
    582160: "bathroom, toilet, bucket",
    374665: "motorcycle, building",
    462229: "toilet, seat top, ground",
    2970: "toilet, faucet, control",
    675587: "person, motorcycle, street",
    680144: "biker, city street",
    785865: "woman, desk",
    545883: "building, planter, door",
    396198: "seat, room, television",
    572281: "painting, frame",
    533624: "jetliner, airport runway",
    538814: "plane, gate, airport terminal",
    12391: "toy animal, bull, giraffe, deer, parakeet",
    534485: "beach, park beach",
    54145: "man, goat, desert",
    649551: "car, street, building",
    70088: "candidate advertisement, coach bus",
    73124: "bus, ad",
    141374: "person, street",
    257943: "person, street",
    78248: "city bus, traffic cone, lane, freeway",
    716966: "sign, street",
    405428: "bicycle, skate, skateboard, sign, pole",
    407567: "street sign, bicycle, skate, skateboard",
    538875: "mother giraffe, baby giraffe",
    282579: "woman, train, bag",
    493193: "woman, wall, bird",
    336553: "street sign, street, pole",
    413885: "bird, grass field",
    416810: "bird, grass",
    356043: "train, train station, tree",
    100624: "train car, train track, tunnel",
    361300: "road sigh, pole, wall",
    518148: "stop sign, pole",
    423217: "stop sign",
    430813: "stop sign, sky",
    156321: "dog, cat, couch",
    242296: "cat, shoe",
    684639: "cat, suitcase",
    268097: "cow, field, tree",
    277877: "cow, building",
    287198: "cow, field",
    126802: "cat, shelf, tv",
    390022: "cat, ceiling",
    572796: "woman, eye, piercing, face",
    578348: "crowd, cloth",
    441044: "yacht, person, pier, water",
    442073: "person, boat, island",
    444766: "elephant, stream",
    707442: "ferry, city scape",
    247051: "elephant",
    247233: "person, street, city",
}
"""By caption id of val2017, what a person reading the caption could draw a mask around."""

SENTENCES = [
    ("a man rides a horse", "DT NN VBZ DT NN"),
    ("two dogs play in the park", "CD NNS VBP IN DT NN"),
    ("a red car drives on the road", "DT JJ NN VBZ IN DT NN"),
    ("a cat sleeps on a red couch", "DT NN VBZ IN DT JJ NN"),
    ("the stop sign stands on a corner", "DT NN NN VBZ IN DT NN"),
    ("two women ride in a train", "CD NNS VBP IN DT NN"),
    ("a view of the kitchen", "DT NN IN DT NN"),
]


@pytest.fixture(scope="module")
def table_nouns() -> NounExtractor:
    return open_nouns("lookups")


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real trained pipeline on disk: a tagger that has learned seven sentences by heart."""
    pipeline = spacy.blank("en", meta={"name": "seven_sentences", "version": "1.2.3"})
    pipeline.add_pipe("tagger")
    examples = [Example.from_dict(pipeline.make_doc(words), {"tags": tags.split()}) for words, tags in SENTENCES]
    spacy.util.fix_random_seed(0)
    optimizer = pipeline.initialize(lambda: examples)
    for _ in range(30):
        pipeline.update(examples, sgd=optimizer)
    folder = tmp_path_factory.mktemp("pipelines") / "seven"
    pipeline.to_disk(folder)
    return folder


def test_each_noun_once_in_order_lower_case_and_singular(table_nouns: NounExtractor) -> None:
    captions = [
        "Two Dogs and a dog are chasing people past a traffic light.",
        "",
        "red",
        "A teddy bear and two teddy bears",
    ]
    assert table_nouns(captions) == [("dog", "person", "traffic light"), (), (), ("teddy bear",)]


def test_what_is_no_thing_is_left_out(table_nouns: NounExtractor) -> None:
    captions = [
        "A close-up picture of a group of dogs in the background",
        "a kitchen scene with a variety of pots",
        "two herds of cows next to a herd",
        "A view of the side of a stop sign",
    ]
    assert table_nouns(captions) == [("dog",), ("kitchen", "pot"), ("cow", "herd"), ("stop sign",)]


def test_a_dash_parts_what_a_hyphen_joins(table_nouns: NounExtractor) -> None:
    assert table_nouns(["Toy animals - a bull and a long-necked giraffe"]) == [("toy animal", "bull", "giraffe")]


def test_a_caption_is_read_as_if_alone(table_nouns: NounExtractor) -> None:
    captions = [sentence for sentence, _ in SENTENCES]
    assert table_nouns(captions) == [table_nouns([caption])[0] for caption in captions]


@pytest.mark.slow
def test_the_way_taken_is_named(table_nouns: NounExtractor, tagger: Path) -> None:
    assert table_nouns.name.startswith("lookups ")
    assert open_nouns(str(tagger)).name == "en_seven_sentences 1.2.3"
    assert open_nouns().name.split()[0] in {"lookups", "en_core_web_sm"}


@pytest.mark.slow
def test_a_trained_pipeline_is_believed(tagger: Path) -> None:
    nouns = open_nouns(str(tagger))
    assert nouns([sentence for sentence, _ in SENTENCES]) == [
        ("man", "horse"),
        ("dog", "park"),
        ("car", "road"),
        ("cat", "couch"),
        ("stop sign",),
        ("woman", "train"),
        ("kitchen",),
    ]


@pytest.mark.slow
def test_universal_parts_of_speech_go_before_tags(tmp_path: Path) -> None:
    pipeline = spacy.blank("en")
    ruler = pipeline.add_pipe("attribute_ruler")
    ruler.add([[{"LOWER": "man"}]], {"POS": "NOUN"})
    ruler.add([[{"LOWER": "horse"}]], {"POS": "PROPN", "TAG": "NN"})
    pipeline.to_disk(tmp_path / "ruled")
    assert open_nouns(str(tmp_path / "ruled"))(["a man rides a horse"]) == [("man",)]


@pytest.mark.slow
def test_unusable_pipelines_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no spaCy pipeline 'no_such_pipeline'"):
        open_nouns("no_such_pipeline")
    spacy.blank("en").to_disk(tmp_path / "blank")
    with pytest.raises(ValueError, match="tags no parts of speech"):
        open_nouns(str(tmp_path / "blank"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="empty"):
        open_nouns(str(tmp_path / "empty"))


def _captions(split: str) -> dict[int, tuple[int, str]]:
    annotations = json.loads((ANNOTATIONS / f"captions_{split}2017.json").read_text())["annotations"]
    return {each["id"]: (each["image_id"], each["caption"]) for each in annotations}


@needs_coco
def test_tables_agree_with_a_reader(table_nouns: NounExtractor) -> None:
    captions = _captions("val")
    right = found = expected = 0
    for number, text in EXPECTED.items():
        wanted, (nouns,) = set(text.split(", ")), table_nouns([captions[number][1]])
        right += len(wanted & set(nouns))
        found += len(nouns)
        expected += len(wanted)
    assert right / found > 0.96, "precision"
    assert right / expected > 0.97, "recall"


def _named_categories() -> Iterator[tuple[str, str]]:
    """Pairs of a caption and a category annotated in its picture, where the caption holds the category's name."""
    for split in ("train", "val"):
        instances = json.loads((ANNOTATIONS / f"instances_{split}2017.json").read_text())
        names = {each["id"]: each["name"] for each in instances["categories"]}
        present = {(each["image_id"], names[each["category_id"]]) for each in instances["annotations"]}
        for image, caption in _captions(split).values():
            words = f" {caption.lower().replace('.', ' ').replace(',', ' ')} "
            yield from ((caption, name) for of, name in present if of == image and f" {name} " in words)


@needs_coco
def test_tables_find_the_categories_that_captions_name(table_nouns: NounExtractor) -> None:
    pairs = list(_named_categories())
    found = table_nouns([caption for caption, _ in pairs])
    hits = sum(any(noun.endswith(name) for noun in nouns) for (_, name), nouns in zip(pairs, found, strict=True))
    assert len(pairs) > 200
    assert hits / len(pairs) > 0.95
