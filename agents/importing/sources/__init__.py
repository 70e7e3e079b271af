"""What an import reads from: CSV, JSON lines, Parquet and Avro files and SQL queries, each as a header and its rows.

Not here: what the cells mean (agents/importing). Start with source.py; opening.py finds out what a file is.
"""
