"""Batch export: everybody's feed in one file, made by the engine that serves."""
