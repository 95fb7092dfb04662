"""The rules that every book passes through, whatever file it came from."""
