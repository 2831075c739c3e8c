"""How people prove who they are: invitations, passwords, MFA devices, the sign-in itself, portal sessions.

No HTTP is in here: functions work on a `Context` (transaction, clock, ids), the pages show what they return.
What is kept of a link, a code or a token is its SHA-256, so that the state file opens no door.
"""
