"""Conformance kit of Isthmus: proves a backend or a layer against the numbered contract."""
