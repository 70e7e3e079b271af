"""Values of topics to records and columns and back: Avro in the Confluent wire format, whatever schema wrote it.

Not here: which schema an id names (schemas/registries). Start with rows.py and columns.py.
"""
