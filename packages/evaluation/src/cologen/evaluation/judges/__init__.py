"""Vision-language models as judges: an endpoint or a local model."""
