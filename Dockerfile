# The quickstart in a container, to try Parley: the same scripts install, build and run. In production PostgreSQL
# runs on machines of its own (conf/).
FROM debian:bookworm-slim AS build
WORKDIR /opt/parley
COPY . .
RUN scripts/quickstart --prepare

FROM debian:bookworm-slim
WORKDIR /opt/parley
COPY --from=build /opt/parley /opt/parley
# Installs the packages that are needed at run time, but no compiler; the programs are already built.
RUN scripts/quickstart --prepare --no-build \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --home-dir /var/lib/parley --create-home parley
USER parley
ENV PARLEY_DATA_DIR=/var/lib/parley/data PARLEY_EDGE_ADDRESS=0.0.0.0
VOLUME /var/lib/parley
EXPOSE 8443
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --start-period=60s CMD ["curl", "-fsS", "-o", "/dev/null", "http://127.0.0.1:8081/readyz"]
ENTRYPOINT ["scripts/quickstart", "--no-build"]
