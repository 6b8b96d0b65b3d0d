"""The process of the component package: `PulumiPlugin.yaml` has Pulumi start it."""

import sys

from pulumi.provider.server import main

from components.package import Package

if __name__ == "__main__":
    main(Package(), sys.argv[1:])
