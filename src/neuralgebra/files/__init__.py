"""Files and live objects: one file per format, limits, and the table of formats."""
