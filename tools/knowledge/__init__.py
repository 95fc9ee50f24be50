"""The library of documents and what is found in it."""
