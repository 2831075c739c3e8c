"""The library below the kit: the scenario, the connection, a module for each noun of AWS, and signing in.

It imports words (the modules at the top of the package) and nothing else of the kit.
"""
