"""The web pages of the front door: they decide nothing, and show what `idc_sandbox.sign_in` and `api` say."""
