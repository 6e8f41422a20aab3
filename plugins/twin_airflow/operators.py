"""Run a verb as a job outside the Airflow worker, and wait for it without holding the worker."""

from collections.abc import Sequence

from airflow.sdk import BaseOperator, Context

from twin_airflow.pages import PageLink
from twin_airflow.triggers import JobTrigger
from twin_airflow.verbs import is_for_good


class RunJobOperator(BaseOperator):
    """Start a job and return its result; ending or clearing the task ends the job and its children.

    `page` is (the words of a button, the key of the result that names the file it opens).
    """

    template_fields: Sequence[str] = ("arguments",)

    def __init__(
        self,
        *,
        verb: str,
        arguments: Sequence[str] = (),
        page: tuple[str, str] | None = None,
        **options: object,
    ) -> None:
        super().__init__(**options)
        self.verb = verb
        self.arguments = arguments
        if page:
            self.operator_extra_links = (PageLink(*page),)

    def execute(self, context: Context) -> object:
        """Start the job, or join the one that runs already, and wait for it in the triggerer."""
        from include.jobs import start_job
        from twin_airflow.settings import platform_settings

        job_id = start_job(platform_settings(), self.verb, *self.arguments)
        self.log.info("job %s runs %s %s", job_id, self.verb, " ".join(self.arguments))
        self.defer(trigger=JobTrigger(job_id), method_name="resume")

    def resume(self, context: Context, event: dict[str, str]) -> object:
        """Return the job's result, or fail with its own words."""
        from include.jobs import job_state
        from twin_airflow.settings import platform_settings

        state = job_state(platform_settings(), event["job_id"])
        self.log.info("job %s %s after %.0f s", state.id, state.status, state.seconds)
        if state.status != "succeeded":
            said = f"The job {state.id} {state.status}: {state.error} Its log is {state.log}."
            # The job's own kind of failure decides whether trying again could help.
            raise ValueError(said) if is_for_good(state.error) else RuntimeError(said)
        return state.result
