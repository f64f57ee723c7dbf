"""Transactions over single-item compare-and-swap, for stores that have nothing better (rule TXN-10).

``store`` says what a backend has to offer; ``records`` what is stored; ``reads``, ``writes``, ``coordinator`` and
``recovery`` are the protocol; ``backend`` puts it around a backend.
"""
