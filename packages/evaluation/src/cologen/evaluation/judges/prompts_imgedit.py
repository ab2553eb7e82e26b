"""ImgEdit-Bench's question for each edit type, in our own words; three criteria, each from 1 to 5.

As in the benchmark, the first criterion is the edit itself, and the other two are asked not to exceed it: a picture in
which nothing was edited is natural, but no good edit.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from cologen.evaluation.judgement import IMGEDIT, IMGEDIT_CRITERIA
from cologen.evaluation.judges.prompts import INSTRUCTION, answer_form, with_instruction

_TASKS: Final[Mapping[str, str]] = {
    "add": "add something to the picture",
    "alter": "change an attribute of something in the picture, such as its colour, material or texture",
    "background": "replace the background of the picture",
    "compose": "make several edits of the picture at once",
    "extract": "cut something out of the picture and show it alone",
    "remove": "remove something from the picture",
    "replace": "replace something in the picture with something else",
    "style": "redraw the picture in another style",
    "action": "change the pose or the action of a person or animal in the picture",
}

_MEANINGS: Final[Mapping[str, tuple[str, str, str]]] = {
    "add": (
        "is what should be added there, as described, in the right number and place, and is everything else kept?",
        "does what was added belong to the scene in size, perspective, light and style, without edges that show?",
        "are shadows, reflections and overlaps right, and are details of the new and the old parts sharp and whole?",
    ),
    "alter": (
        "does the right thing have the new attribute, wholly and nothing else, and is its identity kept?",
        "does the change blend in, without spilled colour, halos or a border that shows?",
        "do light, texture and shape still agree with the material, and are fine details kept?",
    ),
    "background": (
        "is the background the one asked for, wholly, and is the subject in front kept as it was?",
        "is the outline of the subject clean, without remains of the old background, halos or cut parts?",
        "do light, shadows, perspective and depth of subject and background agree?",
    ),
    "compose": (
        "are all of the edits there, each on the right thing, and is everything else kept?",
        "do the edited parts belong to the scene and to each other, without edges that show?",
        "are light, shadows, perspective and fine details right in all edited parts?",
    ),
    "extract": (
        "is the right thing shown, all of it, with its identity kept, and nothing else beside it?",
        "is the background plain and even, and the outline exact, without remains of the scene or missing parts?",
        "is the thing itself whole and sharp, with its shape, colours and texture as in the first picture?",
    ),
    "remove": (
        "is the thing gone, all of it with its shadow and reflection, and is everything else kept?",
        "does the filled place look as if nothing had been there, without smears, seams or repeated patterns?",
        "do structure, light and perspective run on through the filled place, with details as sharp as around it?",
    ),
    "replace": (
        "is the old thing gone and the new one there as described, in its place, and is everything else kept?",
        "does the new thing belong to the scene in size, perspective, light and style, without edges that show?",
        "are shadows, reflections and overlaps right, and are details of the new thing sharp and whole?",
    ),
    "style": (
        "does the whole picture have the style asked for, with its typical strokes, colours and materials?",
        "are the objects, persons, arrangement and meaning of the first picture still there?",
        "is it well made in this style: even, without artefacts, broken lines or parts left in the old style?",
    ),
    "action": (
        "does the subject do what is asked for, so that it is plainly seen?",
        "is it the same person or animal, with face, hair, fur and clothes kept, in the same surroundings?",
        "is the body possible: limbs, hands, joints and balance, with shadows and contacts that fit the new pose?",
    ),
}

_FORM: Final = """\
You grade the work of an image editing program. The first picture is the original. The second picture is what the \
program made of it. The program was asked to {task}, with this instruction:

<instruction>
{instruction}
</instruction>

Compare the two pictures and give three grades. Be strict, and grade only what can be seen.

{criteria}

For each grade: 1 means not at all, or wrong; 2 means poor, with grave faults; 3 means partly, with faults that are \
easily noticed; 4 means good, with slight faults; 5 means without any visible fault.
Neither "{second}" nor "{third}" may be higher than "{first}".

{form}"""


def _prompt(kind: str) -> str:
    rows = zip(IMGEDIT.names, IMGEDIT_CRITERIA[kind], _MEANINGS[kind], strict=True)
    first, second, third = IMGEDIT.names
    return _FORM.format(
        task=_TASKS[kind],
        instruction=INSTRUCTION,
        criteria="\n".join(f'"{name}" ({criterion}): {meaning}' for name, criterion, meaning in rows),
        first=first,
        second=second,
        third=third,
        form=answer_form(IMGEDIT.names, IMGEDIT),
    )


PROMPTS: Final[Mapping[str, str]] = MappingProxyType({kind: _prompt(kind) for kind in IMGEDIT_CRITERIA})
"""By edit type, with the place of the instruction."""


def imgedit_prompt(kind: str, instruction: str) -> str:
    """The question about source and output, in this order, for an edit type of ``PROMPTS``."""
    return with_instruction(PROMPTS[kind], instruction)
