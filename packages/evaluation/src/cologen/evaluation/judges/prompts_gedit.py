"""The two questions of GEdit-Bench, in our own words; each score from 0 to 10."""

from __future__ import annotations

from typing import Final

from cologen.evaluation.judgement import GEDIT, GEDIT_PQ, GEDIT_SC
from cologen.evaluation.judges.prompts import INSTRUCTION, answer_form, with_instruction

SC: Final = f"""\
You grade the work of an image editing program. The first picture is the original. The second picture is what the \
program made of it. The program was given this instruction, which may be in English or Chinese:

<instruction>
{INSTRUCTION}
</instruction>

Compare the two pictures and give two grades. Be strict, and grade only what can be seen.

"followed": how completely the second picture shows what the instruction asks for.
  0 means that nothing of it was done, or something else was done.
  5 means that part of it was done, or all of it but visibly wrong (a wrong object, place, number, colour or text).
  10 means that all of it was done exactly as asked.

"kept": how well everything that the instruction does not ask to change is the same as in the first picture: other \
objects, persons and their faces, the background, framing, colours, style and text.
  0 means that the second picture is a different scene.
  5 means that the scene can be recognised, but things that should have stayed the same are visibly changed.
  10 means that only what the instruction asks for, and what must follow from it, has changed.

{answer_form(GEDIT.names[GEDIT_SC], GEDIT)}"""

PQ: Final = f"""\
You grade the quality of a picture that was made by an image generating program. You see this picture alone. It does \
not matter what it shows, or whether that could happen; an unusual subject or a drawn style is no fault.

Give two grades. Be strict, and grade only what can be seen.

"natural": how natural the picture is as a picture.
  0 means that it looks broken: lighting, shadows, perspective or sizes contradict each other everywhere.
  5 means that it looks right at first, but something is out of place: a pasted look, a shadow that is missing.
  10 means that lighting, perspective, sizes and transitions agree throughout.

"clean": how free the picture is of artefacts.
  0 means that artefacts cover it: noise, smears, seams, torn or doubled shapes, deformed faces or hands, watermarks.
  5 means that artefacts are easily noticed in some places.
  10 means that there is no visible artefact.

{answer_form(GEDIT.names[GEDIT_PQ], GEDIT)}"""


def sc_prompt(instruction: str) -> str:
    """The question about source and output, in this order."""
    return with_instruction(SC, instruction)
