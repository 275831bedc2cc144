"""What an evaluation leaves behind: figures as JSON, tables for a terminal, one row a person as Parquet."""
