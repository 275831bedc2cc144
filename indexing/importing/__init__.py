"""Reading the catalogue and the history of events from CSV, JSONL, Parquet and Arrow files into the store."""
