"""Answers with and without sources: documents, retrieval, and what is found in the sources."""
