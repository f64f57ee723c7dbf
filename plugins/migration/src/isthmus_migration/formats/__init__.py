"""Dump formats: how items become records of files, how these are compressed, and the manifests that prove them.

=========== ========================================================== ============== ==========================
format      files                                                      lossless       readable as a source
=========== ========================================================== ============== ==========================
jsonl       ``<table>/<part>.jsonl.zst``                               always         yes
dynamodb    ``AWSDynamoDB/<export id>/…``, as AWS writes and imports   always         yes, AWS's own too
mongodump   ``<database>/<table>.bson.gz`` and ``.metadata.json``      to 34 digits   yes, of databases of Isthmus
parquet     ``<table>/<table>.parquet``                                if not told    no
=========== ========================================================== ============== ==========================
"""
