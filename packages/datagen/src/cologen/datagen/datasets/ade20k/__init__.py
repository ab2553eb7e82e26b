"""ADE20K in its two forms: the scene parsing challenge and the full dataset."""
