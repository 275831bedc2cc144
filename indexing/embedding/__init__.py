"""Embedding: text per kind of item, vectors cached by model and text, models from the sentence-transformers family."""

from indexing.embedding.catalogue_vectors import CatalogueVectors, embed_items
from indexing.embedding.model import Embedder, EmbeddingModel, find_embedder

__all__ = ["CatalogueVectors", "Embedder", "EmbeddingModel", "embed_items", "find_embedder"]
