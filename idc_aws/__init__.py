"""What the kit knows of AWS: connections, calls, and one module for each noun. The only home of boto3.

It imports words (the modules at the top of the package) and nothing else of the kit.
"""
