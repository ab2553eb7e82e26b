"""All words for a scene: its captions, and phrases that mean exactly one of its objects."""

from cologen.datagen.world.captions import captions
from cologen.datagen.world.nouns import noun_phrase
from cologen.datagen.world.referring import referring_phrases

__all__ = ["captions", "noun_phrase", "referring_phrases"]
