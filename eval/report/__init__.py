"""The report: one HTML file that says what an evaluation showed, in figures with tables beside them."""
