"""Many runs from one table of jobs: checked as a whole, carried out side by side, counted once each."""
