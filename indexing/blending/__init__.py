"""Blending: how the sources are weighted and ranked, learnt from what people took up."""
