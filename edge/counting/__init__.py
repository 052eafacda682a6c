"""Edges in, passages out."""
