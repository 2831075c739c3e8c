"""A scripted person who goes through the sandbox's pages over HTTP, with password and authenticator app.

>>> persona = Persona("http://localhost:8723", "mary.major")
>>> persona.accept_invitation(link)
>>> persona.sign_in()
>>> persona.portal()

Nothing is bypassed: no module of this package imports the sandbox's domain. ``python -m idc_sandbox.persona``
does the same for programs that speak JSON lines.
"""

from __future__ import annotations

from idc_sandbox.persona.browser import PersonaError
from idc_sandbox.persona.person import Persona, make_password

__all__ = ["Persona", "PersonaError", "make_password"]
