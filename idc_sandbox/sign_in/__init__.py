"""How people prove who they are, without HTTP; of a link, a code or a token its SHA-256 is kept."""
