"""The sensor that starts a training: it waits, deferred, for a dataset that nobody has trained on."""

from airflow.sdk import BaseSensorOperator, Context

from twin_airflow.triggers import NewDatasetTrigger


class NewDatasetSensor(BaseSensorOperator):
    """Wait for a new dataset version and return its id."""

    def __init__(self, *, poll_seconds: float = 3.0, **options: object) -> None:
        super().__init__(**options)
        self.poll_seconds = poll_seconds

    def execute(self, context: Context) -> str:
        """Look once, then give the worker back and wait in the triggerer."""
        from include.learning import next_dataset
        from twin_airflow.settings import platform_settings

        found = next_dataset(platform_settings())
        if not found:
            self.defer(trigger=NewDatasetTrigger(self.poll_seconds), method_name="resume")
        return str(found)

    def resume(self, context: Context, event: str) -> str:
        """Return what the trigger found."""
        self.log.info("training on dataset %s", event)
        return event
