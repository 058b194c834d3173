"""Programs in other languages: one intermediate program, one table for each language."""
