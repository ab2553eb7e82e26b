"""COCO's pictures with their annotations: COCO-Stuff, LVIS, and the expressions of RefCOCO, RefCOCO+ and RefCOCOg."""
