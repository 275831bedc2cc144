"""Reading the catalogue and the history of events from CSV, JSONL and Parquet files into the store."""
