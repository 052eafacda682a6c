"""Answers from counts: buckets, intervals, completeness."""
