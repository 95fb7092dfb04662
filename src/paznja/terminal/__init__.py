"""What a person sees in the terminal: the table as it grows, the live line below it, lists and bars. Knows nothing of how they come about.

In a terminal `rich` draws; where the output goes elsewhere there are plain lines. Whoever needs a screen imports its module from here, and
does not wait for the others.
"""
