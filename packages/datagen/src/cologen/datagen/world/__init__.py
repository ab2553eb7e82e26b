"""The synthetic world: scenes that know their picture, captions, masks, depth, edits and subject pairs."""
