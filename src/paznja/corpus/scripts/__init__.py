"""Serbian's two scripts: telling them apart, leading from one to the other, and mending letters."""
