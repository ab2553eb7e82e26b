"""Which pairs of pictures are worth learning from: rules over pixels and scores, without files."""
