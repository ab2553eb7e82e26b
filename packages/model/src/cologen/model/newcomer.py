"""The bias with which a new expert joins its router. Recipes need it too, so this module imports no torch."""

NEWCOMER_BIAS = -8.0
"""What is added to the newest expert's logit when it joins: the function learned before changes by about 1 %."""
