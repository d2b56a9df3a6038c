from rest_framework.routers import SimpleRouter

from metrics.api.views import DashboardViewSet, MetricViewSet
from metrics.views import EventStatsViewSet, InternalViewSet

router = SimpleRouter(trailing_slash=False)
router.register("events/stats", EventStatsViewSet, basename="event-stats")
router.register("internal", InternalViewSet, basename="internal")
router.register("metrics", MetricViewSet, basename="metric")
router.register("dashboard", DashboardViewSet, basename="dashboard")
urlpatterns = router.urls
