"""Serbian's two scripts: recognising them, converting one to the other, and repairing letters."""
