# The app in a container; docs/containers.md says how to use it. All that it keeps is in /data.
# The tests run on this Python. The tag moves with its security fixes, and with nothing else.
FROM python:3.11-slim-bookworm

RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin fareground \
    && install --directory --owner=fareground --group=fareground --mode=0750 /data

WORKDIR /app

# Before the code, so that a change of the code does not install them again.
COPY requirements.txt ./
RUN python -m pip install --no-cache-dir --disable-pip-version-check -r requirements.txt

COPY app.py ./
COPY .streamlit/config.toml .streamlit/
COPY pages/ pages/
COPY pipeline/ pipeline/
COPY sql/ sql/
RUN python -m compileall -q app.py pages pipeline

ENV FAREGROUND_HOME=/data \
    FAREGROUND_LOG_TO=both \
    PYTHONUNBUFFERED=1

USER 10001:10001
VOLUME ["/data"]
EXPOSE 8501

HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 \
    CMD ["python", "-m", "pipeline", "health", "--app", "http://127.0.0.1:8501"]

# Every address of the container, and only of it: who publishes the port says who reaches it.
CMD ["python", "-m", "streamlit", "run", "app.py", "--server.address=0.0.0.0"]
