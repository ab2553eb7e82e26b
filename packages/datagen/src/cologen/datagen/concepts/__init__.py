"""Concepts: the nouns of a caption and the objects they name in the picture, as masks."""
