"""Bytes to text, whatever encoding they are in, and text that was read in a wrong one."""
