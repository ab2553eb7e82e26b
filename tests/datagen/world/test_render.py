"""What a rendering says of a pixel agrees with all else it says, at every picture size."""

import numpy as np
import pytest

from cologen.datagen.world.render import RELIEF, Rendering, render
from cologen.datagen.world.scene import Scene, sample_scene
from cologen.datagen.world.vocabulary import COLORS, GROUND_CLASSES, OBJECT_CLASSES

Drawn = list[tuple[Scene, Rendering]]


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [sample_scene(5, index) for index in range(40)]


@pytest.fixture(scope="module")
def drawn(scenes: list[Scene]) -> Drawn:
    return [(scene, render(scene, 96, 80)) for scene in scenes]


def _fields(drawing: Rendering) -> list[np.ndarray]:
    maps = [drawing.picture, drawing.depth, drawing.class_map, drawing.instance_map]
    return [*maps, *drawing.masks, *drawing.full_masks]


def test_rendering_twice_gives_the_same_bytes(scenes: list[Scene], drawn: Drawn):
    again = [render(scene, 96, 80) for scene in scenes[:10]]
    for (_, first), second in zip(drawn[:10], again, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(_fields(first), _fields(second), strict=True))


@pytest.mark.parametrize("size", [(32, 32), (1024, 48), (33, 257)])
def test_every_size_from_32_to_1024_is_drawn(size: tuple[int, int], scenes: list[Scene]):
    drawing = render(scenes[0], *size)
    assert all(field.shape[:2] == (size[1], size[0]) for field in _fields(drawing))


@pytest.mark.parametrize("size", [(31, 64), (64, 1025)])
def test_other_sizes_are_refused(size: tuple[int, int], scenes: list[Scene]):
    with pytest.raises(ValueError, match="32 to 1024"):
        render(scenes[0], *size)


def test_masks_are_disjoint_and_make_up_the_instance_map(drawn: Drawn):
    for _, drawing in drawn:
        numbered = sum(mask * (i + 1) for i, mask in enumerate(drawing.masks))
        assert np.array_equal(numbered, drawing.instance_map)
        assert max(int(mask.max()) for mask in drawing.masks) == 1


def test_hidden_pixels_are_behind_a_nearer_object(drawn: Drawn):
    for scene, drawing in drawn:
        for i, (visible, full) in enumerate(zip(drawing.masks, drawing.full_masks, strict=True)):
            assert not (visible & ~full & 1).any()
            hidden = (full == 1) & (visible == 0)
            assert (drawing.instance_map[hidden] > i + 1).all()
            assert (drawing.depth[hidden] < scene.objects[i].depth - RELIEF).all()


def test_class_map_and_depth_follow_the_instances(drawn: Drawn):
    for scene, drawing in drawn:
        for i, thing in enumerate(scene.objects):
            seen = drawing.instance_map == i + 1
            assert (drawing.class_map[seen] == OBJECT_CLASSES.index(thing.shape)).all()
            assert (np.abs(drawing.depth[seen] - (thing.depth - RELIEF / 2)) <= RELIEF / 2 + 1e-6).all()
        ground = drawing.instance_map == 0
        assert (drawing.class_map[ground] == len(OBJECT_CLASSES) + GROUND_CLASSES.index(scene.ground)).all()
        assert (drawing.depth[ground] > 0.7).all()
        assert drawing.depth.min() >= 0
        assert drawing.depth.max() <= 1


def test_boxes_are_tight(drawn: Drawn):
    for _, drawing in drawn:
        for mask, box in zip(drawing.masks, drawing.boxes, strict=True):
            rows, columns = np.nonzero(mask)
            assert box.xyxy() == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


def test_masks_agree_between_sizes(scenes: list[Scene]):
    for scene in scenes:
        small, large = (render(scene, size, size) for size in (128, 256))
        for a, b in zip(small.masks, large.masks, strict=True):
            # A few percent of the area and a pixel or two for the smallest.
            assert abs(a.mean() - b.mean()) < 0.04 * b.mean() + 4 / 128**2


def test_every_object_has_pixels_in_the_smallest_picture(scenes: list[Scene]):
    for scene in scenes:
        assert all(mask.any() for mask in render(scene, 32, 32).masks)


def test_color_names_stay_recognisable_among_other_objects(drawn: Drawn):
    """The mean colour of what is seen of an object, shadows of others included, is nearest to its own name."""
    palette = np.array(list(COLORS.values()), dtype=float)
    right = total = 0
    for scene, drawing in drawn:
        for thing, mask in zip(scene.objects, drawing.masks, strict=True):
            mean = drawing.picture[mask == 1].mean(axis=0)
            right += tuple(COLORS)[int(np.argmin(((palette - mean) ** 2).sum(axis=1)))] == thing.color
            total += 1
    assert right >= 0.96 * total


def test_objects_stand_out_from_their_ground(drawn: Drawn):
    for scene, drawing in drawn:
        bare = render(Scene(seed=scene.seed, key=scene.key, ground=scene.ground, objects=()), 96, 80).picture
        for mask in drawing.masks:
            difference = np.abs(drawing.picture[mask == 1].astype(float) - bare[mask == 1]).max(axis=1)
            assert difference.mean() > 25
