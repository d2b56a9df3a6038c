import sys

from analytics_project.stack.run import main

sys.exit(main())
