"""Judging: data sets, experiments and reports over the same engine that serves."""
