"""Plans that one can approve: made for the whole lesson, kept as a file, carried out exactly as they say."""
