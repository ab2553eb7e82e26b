"""The words of the prompts that the bundled base was trained on, in lower case."""

from __future__ import annotations

_LINES = """
a add against an and answer any around at ball beach belong black blue bottom bounding box brick brown can
carpet choose cloudy color cover cross cyan detect draw else enclose exact example fill find fish floating floor
frame front give grass gravel gray green heart highlight house image in indicate is it just lawn lay layer leave
left like localize magenta make mark mask me middle move mug nothing object of on one orange out outline over
overlay pale pick picture pink pixels place please point position purple put rectangle red remove replace rest
right ring sand sandy see segment select shade shape show single sky snow so star surround table that the them
through tile tiles tint to top translucent tree unchanged unmarked using wall water where which whichever white
with wood wooden would yellow you
"""
LEARNED = frozenset(_LINES.split())
