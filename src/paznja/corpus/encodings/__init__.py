"""Bytes to text: in any encoding, and repairing text that was read in a wrong one."""
