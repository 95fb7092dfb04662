"""What a person sees in the terminal: the table as it grows, the live line below it, lists and bars. It computes nothing itself.

In a terminal `rich` draws; elsewhere plain lines are printed. Every screen has its own module, so that using one does not load the others.
"""
