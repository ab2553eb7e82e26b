"""Cases with pictures."""

import numpy as np

from cologen.evaluation.records import Case, Expected, Item


def case(number: int = 0, *, prompt: str = "make the ball red", group: str = "") -> Case:
    """An output of half the source's size; pictures differ by ``number``."""
    source = np.full((24, 32, 3), 10 + number, dtype=np.uint8)
    output = np.full((12, 16, 3), 200 - number, dtype=np.uint8)
    item = Item(item_id=f"item-{number}", cluster="c", prompt=prompt, group=group)
    return Case(item=item, output=output, expected=Expected(source=source))
