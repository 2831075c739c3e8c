"""The practice console: the screens of Identity Center's console, in our own words and looks."""
