"""Files to clean text: formats, encodings, scripts, cleaning, and the split into training and held-out books."""
