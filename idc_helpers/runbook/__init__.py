"""The four movements of every step: desired, plan, apply, check; and undo, of what receipts name."""
