"""Isthmus on real servers against what people use today, and how it scales with concurrent callers."""
