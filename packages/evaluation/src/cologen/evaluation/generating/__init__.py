"""Items to pictures: resumable, the same at any batch size and number of workers."""
