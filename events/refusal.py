from events.reasons import Reason


class Refused(Exception):
    """This record cannot be stored as it is; its neighbours are not concerned."""

    def __init__(self, reason: Reason, error: str) -> None:
        super().__init__(error)
        self.reason = reason
        self.error = error
