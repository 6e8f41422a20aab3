# One image for everything of the platform that is Python: Airflow's processes, Ray, the keeper of the endpoint.
# docker-compose.yaml says what each container runs.
#
# TORCH_INDEX=<package index with CPU builds of torch> makes the image 4 GB smaller; without it GPUs work too.

FROM python:3.11.13-slim-bookworm AS packages
RUN apt-get update \
    && apt-get install --yes --no-install-recommends build-essential git \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/twin
COPY requirements.txt ./
COPY include/__init__.py include/install.py ./include/
ARG TORCH_INDEX=""
# The same locked, hashed and byte-compiled installation as `make setup` makes.
RUN TORCH_INDEX="$TORCH_INDEX" python -m include.install \
    && rm -rf /root/.cache

FROM python:3.11.13-slim-bookworm
# git reads sources, curl and jq are for health checks, a compiler for what torch compiles at run time.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends curl g++ git jq \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --create-home twin \
    && install --directory --owner=twin --group=twin --mode=0700 /data /cache
WORKDIR /opt/twin
COPY --from=packages /opt/twin/.venv .venv
COPY . .
ENV PATH=/opt/twin/.venv/bin:$PATH \
    PYTHONPATH=/opt/twin:/opt/twin/plugins \
    PYTHONUNBUFFERED=1 \
    TWIN_DATA_DIR=/data \
    TWIN_CACHE_DIR=/cache
RUN python -m compileall -q dags demo feature_repo include ml plugins serving
USER twin
CMD ["python", "-m", "include.containers"]
