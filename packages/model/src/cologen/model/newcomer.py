"""How a new expert joins its router. Recipes need the number too, so that torch is not imported here."""

NEWCOMER_BIAS = -8.0
"""What is added to the newest expert's logit when it joins: the function learned before changes by about 1 %."""
