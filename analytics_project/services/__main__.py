import sys

from analytics_project.services.cli import main

sys.exit(main())
