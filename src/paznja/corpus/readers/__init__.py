"""From a file's bytes to its text: a reader for each format, and what several of them share."""
