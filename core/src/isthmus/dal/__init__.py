"""The class-based layer: one class for each kind of record, and one class that groups them.

``DalBaseClass`` gives the methods, and hooks to override; ``Dal`` opens one database for several of them. Both take
their database from the configuration or from whoever makes them.
"""
