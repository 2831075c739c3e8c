"""What notebooks see: tables, pictures, live progress and, for a person at the screen, forms."""
