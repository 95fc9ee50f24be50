"""Parts of the benchmark of retrieval."""
