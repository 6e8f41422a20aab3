"""How texts are read from each kind of place, one file per kind. Which kinds there are: include/sources.py."""
