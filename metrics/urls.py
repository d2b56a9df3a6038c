from rest_framework.routers import SimpleRouter

from metrics.views import EventStatsViewSet, InternalViewSet

router = SimpleRouter(trailing_slash=False)
router.register("events/stats", EventStatsViewSet, basename="event-stats")
router.register("internal", InternalViewSet, basename="internal")
urlpatterns = router.urls
