from rest_framework.routers import SimpleRouter

from metrics.definitions.views import DefinitionViewSet

router = SimpleRouter(trailing_slash=False)
router.register("metrics/definitions", DefinitionViewSet, basename="metric-definition")
urlpatterns = router.urls
