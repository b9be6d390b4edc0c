# syntax=docker/dockerfile:1
# One image for the hub, the robots and the Ray nodes: Ray insists on the same Python and the same
# packages everywhere, and what a robot trains with is then what the guild has tested.
ARG PYTHON=3.11.14-slim-bookworm@sha256:65a93d69fa75478d554f4ad27c85c1e69fa184956261b4301ebaf6dbb0a3543d

FROM python:${PYTHON} AS build
# The plain torch wheel pulls gigabytes of CUDA packages on Linux. Where no GPU is, build with
# --build-arg TORCH_INDEX=<address of PyTorch's CPU wheels> and the image is a fraction of that.
ARG TORCH_INDEX=
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_EXTRA_INDEX_URL=${TORCH_INDEX}
RUN python -m venv /opt/zunft
WORKDIR /src
COPY constraints.txt pyproject.toml README.md LICENSE NOTICE ./
COPY skills skills
COPY envs envs
COPY fleet fleet
COPY hub hub
COPY zunft zunft
# Each file is held to its hash in constraints.txt.
COPY tools/__init__.py tools/install.py tools/
RUN /opt/zunft/bin/python -m tools.install all \
    && /opt/zunft/bin/pip install --no-deps --no-build-isolation .

FROM python:${PYTHON}
# No GL in this image: neither training nor the console renders on the server.
ENV PATH=/opt/zunft/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    MUJOCO_GL=disable \
    OMP_NUM_THREADS=1 \
    RAY_USAGE_STATS_ENABLED=0 \
    NUMBA_CACHE_DIR=/var/lib/zunft/.numba \
    ZUNFT_DATA_DIR=/var/lib/zunft \
    ZUNFT_HOST=0.0.0.0
RUN useradd --system --uid 10001 --home-dir /var/lib/zunft --create-home zunft
COPY --from=build /opt/zunft /opt/zunft
USER zunft
WORKDIR /var/lib/zunft
VOLUME /var/lib/zunft
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/readyz', timeout=4)"]
CMD ["zunft", "hub"]
