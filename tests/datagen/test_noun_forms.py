"""Singular, plural and article of the classes of COCO, of the harder ones of LVIS and ADE20K, and of a user's own."""

import pytest

from cologen.datagen import noun_tables
from cologen.datagen.datasets.ade20k import classes
from cologen.datagen.datasets.coco import stuff_classes
from cologen.datagen.noun_forms import is_counted, plural, singular, with_article

COCO = """
person/people bicycle/bicycles car/cars motorcycle/motorcycles airplane/airplanes bus/buses train/trains truck/trucks
boat/boats traffic_light/traffic_lights fire_hydrant/fire_hydrants stop_sign/stop_signs parking_meter/parking_meters
bench/benches bird/birds cat/cats dog/dogs horse/horses sheep/sheep cow/cows elephant/elephants bear/bears zebra/zebras
giraffe/giraffes backpack/backpacks umbrella/umbrellas handbag/handbags tie/ties suitcase/suitcases frisbee/frisbees
snowboard/snowboards sports_ball/sports_balls kite/kites baseball_bat/baseball_bats baseball_glove/baseball_gloves
skateboard/skateboards surfboard/surfboards tennis_racket/tennis_rackets bottle/bottles wine_glass/wine_glasses cup/cups
fork/forks knife/knives spoon/spoons bowl/bowls banana/bananas apple/apples sandwich/sandwiches orange/oranges
carrot/carrots hot_dog/hot_dogs pizza/pizzas donut/donuts cake/cakes chair/chairs couch/couches
potted_plant/potted_plants bed/beds dining_table/dining_tables toilet/toilets tv/tvs laptop/laptops mouse/mice
remote/remotes keyboard/keyboards cell_phone/cell_phones microwave/microwaves oven/ovens toaster/toasters sink/sinks
refrigerator/refrigerators book/books clock/clocks vase/vases teddy_bear/teddy_bears hair_drier/hair_driers
toothbrush/toothbrushes
"""
WITH_AN = {"airplane", "elephant", "umbrella", "apple", "orange", "oven"}


def test_the_classes_of_coco() -> None:
    pairs = [tuple(pair.replace("_", " ").split("/")) for pair in COCO.split()]
    assert len(pairs) == 77
    for one, many in pairs:
        assert (singular(one), plural(one)) == (one, many)
        assert with_article(one) == f"{'an' if one in WITH_AN else 'a'} {one}"
        assert (singular(many), plural(many)) == (one, many)


@pytest.mark.parametrize(
    ("noun", "one", "many"),
    [
        ("skis", "pair of skis", "pairs of skis"),
        ("scissors", "pair of scissors", "pairs of scissors"),
        ("broccoli", "instance of broccoli", "instances of broccoli"),
        ("glasses", "pair of glasses", "pairs of glasses"),
        ("wine glasses", "wine glass", "wine glasses"),
        ("sweat pants", "pair of sweat pants", "pairs of sweat pants"),
        ("clippers", "pair of clippers", "pairs of clippers"),
        ("pantyhose", "pair of pantyhose", "pairs of pantyhose"),
        ("clothes", "piece of clothing", "pieces of clothing"),
        ("stairs", "flight of stairs", "flights of stairs"),
        ("French toast", "slice of French toast", "slices of French toast"),
        ("tissue paper", "sheet of tissue paper", "sheets of tissue paper"),
        ("duct tape", "instance of duct tape", "instances of duct tape"),
        ("scrambled eggs", "instance of scrambled eggs", "instances of scrambled eggs"),
        ("boiled egg", "boiled egg", "boiled eggs"),
        ("clouds", "cloud", "clouds"),
        ("leaves", "leaf", "leaves"),
        ("waterdrops", "waterdrop", "waterdrops"),
        ("brussels sprouts", "brussels sprout", "brussels sprouts"),
        ("people", "person", "people"),
        ("firemen", "fireman", "firemen"),
        ("policewomen", "policewoman", "policewomen"),
        ("ottoman", "ottoman", "ottomans"),
        ("specimen", "specimen", "specimens"),
        ("pocketknife", "pocketknife", "pocketknives"),
        ("headscarf", "headscarf", "headscarves"),
        ("bookshelves", "bookshelf", "bookshelves"),
        ("mongoose", "mongoose", "mongooses"),
        ("hoodie", "hoodie", "hoodies"),
        ("die", "die", "dice"),
        ("box", "box", "boxes"),
        ("boxes", "box", "boxes"),
        ("dishes", "dish", "dishes"),
        ("buses", "bus", "buses"),
        ("school bus", "school bus", "school buses"),
        ("camera lens", "camera lens", "camera lenses"),
        ("lenses", "lens", "lenses"),
        ("canvas", "canvas", "canvases"),
        ("dresses", "dress", "dresses"),
        ("compass", "compass", "compasses"),
        ("walrus", "walrus", "walruses"),
        ("octopus", "octopus", "octopuses"),
        ("rhinoceros", "rhinoceros", "rhinoceroses"),
        ("trellis", "trellis", "trellises"),
        ("gas", "gas", "gases"),
        ("shoes", "shoe", "shoes"),
        ("tomatoes", "tomato", "tomatoes"),
        ("flamingo", "flamingo", "flamingos"),
        ("cookies", "cookie", "cookies"),
        ("ties", "tie", "ties"),
        ("berries", "berry", "berries"),
        ("canopies", "canopy", "canopies"),
        ("houses", "house", "houses"),
        ("horses", "horse", "horses"),
        ("vases", "vase", "vases"),
        ("starfish", "starfish", "starfish"),
        ("deer", "deer", "deer"),
        ("reindeer", "reindeer", "reindeer"),
        ("crossroads", "crossroads", "crossroads"),
        ("headquarters", "headquarters", "headquarters"),
        ("bacteria", "bacterium", "bacteria"),
        ("passer-by", "passer-by", "passers-by"),
        ("passers-by", "passer-by", "passers-by"),
        ("passerby", "passerby", "passersby"),
        ("mother-in-law", "mother-in-law", "mothers-in-law"),
        ("person, individual", "person", "people"),
        ("chest of drawers", "chest of drawers", "chests of drawers"),
        ("bowls with fruit", "bowl with fruit", "bowls with fruit"),
        ("man in red", "man in red", "men in red"),
        ("octopus (food)", "octopus (food)", "octopuses (food)"),
        ("Scissors", "pair of Scissors", "pairs of Scissors"),
    ],
)
def test_nouns_of_every_kind_in_either_number(noun: str, one: str, many: str) -> None:
    assert (singular(noun), plural(noun)) == (one, many)


def test_every_class_of_stuff_and_of_ade20k_has_both_numbers() -> None:
    for noun in (*stuff_classes.NOUNS, *classes.NOUNS):
        one, many = singular(noun), plural(noun)
        assert one != many
        assert plural(one) == many
        assert singular(many) == one or not is_counted(noun) or noun == "glass"  # "glasses" alone are for the eyes


WITH_ARTICLES = """
an hour|an hourglass|an honest man|an heirloom|an herb|an egg|an umbrella|an unidentified thing|an urn|an X-ray|an SUV
an MRI|an LED lamp|an 8-ball|an 11th man|an undershirt|an usher|an iPod|an eclair|an ottoman|an Xbox
an HDTV|an NBA jersey|a BMW|a STOP sign|a NASA cap|a DNA strand
a unicorn|a unicycle|a uniform|a union|a united flag|a utensil|a urinal|a user|a ukulele|a European|a one-way sign|a ewe
a UFO|a TV|a CD player|a USB stick|a U-turn|a horse|a house|a yacht|a eucalyptus|a 7th man|a tv
"""


def test_the_article_follows_the_sound() -> None:
    for phrase in WITH_ARTICLES.strip().replace("\n", "|").split("|"):
        assert with_article(phrase.partition(" ")[2]) == phrase


def test_pairs_and_pieces_are_told_from_what_is_counted() -> None:
    assert all(is_counted(noun) for noun in ("dog", "scissors", "pair of scissors", "glass of milk", "people"))
    assert not any(is_counted(noun) for noun in ("milk", "soya milk", "clothes", "scrambled eggs", "stairs"))


def test_no_noun_is_of_two_kinds() -> None:
    kinds = [noun_tables.IN_PAIRS, noun_tables.UNCOUNTED, set(noun_tables.BY_THE_PIECE), noun_tables.UNCHANGED]
    assert sum(map(len, kinds)) == len(set().union(*kinds))
