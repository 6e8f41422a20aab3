"""The Ray Serve app, its OpenAI-compatible API, and deploying it over HTTP. No Airflow."""
