# DCMTK's dcmqrscp and Orthanc as Debian ships them, for the two old PACS of compose.yaml.
FROM debian:stable-slim
RUN apt-get update \
 && apt-get install --yes --no-install-recommends dcmtk orthanc \
 && rm -rf /var/lib/apt/lists/* \
 && mkdir -p /var/lib/attic /var/lib/cellar
