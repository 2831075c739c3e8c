"""The web pages of the front door: mailbox, invitation, sign-in, MFA, access portal, consent, settings.

Pages decide nothing: they read forms, call `idc_sandbox.sign_in` and its neighbours, and show what these
return. Jinja2 templates, one style sheet, two small scripts; nothing comes from elsewhere.

======================  =================================================================
Module                  What it has
======================  =================================================================
`front_door`            which requests are a browser's, and which an AWS client's
`application`           the routes, and how a request becomes a visit
`visits`, `answers`     what a page is given, and what it gives back
`seals`                 values that only this sandbox can have made: CSRF tokens, links
`sign_in`, …            one module a place
======================  =================================================================
"""
