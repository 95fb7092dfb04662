"""Bytes to text: in any encoding, and mending text that was read in a wrong one."""
