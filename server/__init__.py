"""The network side of the engine: a gRPC server for front ends and operators, and its commands.

Importing this package imports nothing else, so that `recommender serve` can limit native threads before NumPy is loaded.
"""
