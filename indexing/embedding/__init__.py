"""Embedding: text per kind of item, vectors cached by model and text, models from the sentence-transformers family."""

from indexing.embedding.catalogue_vectors import CatalogueVectors, embed_items, embed_wanted
from indexing.embedding.export import query_encoder
from indexing.embedding.model import Embedder, EmbeddingModel, find_embedder
from indexing.embedding.wanted import Wanted

__all__ = ["CatalogueVectors", "Embedder", "EmbeddingModel", "Wanted", "embed_items", "embed_wanted", "find_embedder", "query_encoder"]
